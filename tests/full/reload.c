/* SPDX-License-Identifier: MIT */
/* reload.c IN OUT: loads a model and saves it again. Saving is canonical, so OUT equals the file that the model came from first. */
#include <genrep.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    gm_context *ctx = NULL;
    gm_vae *vae = NULL;
    gm_status s = argc == 3 ? gm_context_create(NULL, &ctx) : GM_E_INVALID;
    if (!s) s = gm_vae_load(ctx, argv[1], &vae);
    if (!s) s = gm_vae_save(vae, argv[2]);
    if (s) fprintf(stderr, "reload: %s\n", ctx ? gm_context_error(ctx) : gm_status_text(s));
    gm_vae_destroy(vae);
    gm_context_destroy(ctx);
    return s != GM_OK;
}
