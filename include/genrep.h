/* SPDX-License-Identifier: MIT */
/* genrep.h: everything, in layer order. */
#ifndef GENREP_H
#define GENREP_H
#include "genrep/base.h"
#include "genrep/io.h"
#include "genrep/tensor.h"
#include "genrep/data.h"
#include "genrep/graph.h"
#include "genrep/layer.h"
#include "genrep/optim.h"
#include "genrep/train.h"
#include "genrep/vae.h"
#include "genrep/gan.h"
#include "genrep/model.h"
#include "genrep/latent.h"
#include "genrep/viz.h"
#endif
