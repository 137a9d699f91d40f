/* SPDX-License-Identifier: MIT */
/* cplusplus.cpp: the library from C++: handles that destroy themselves, statuses that become exceptions. C++98 and later.
 *
 * A VAE learns noisy circles in the plane, encodes a few points and decodes them again. Holder is what std::unique_ptr with a deleter is to C++11; here it
 * is ten lines, so that the program is C++98 as well. Exceptions are thrown by this program alone: none may pass through a callback of the library. */
#include <genrep.h>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

/* Owns a handle: created through out(), destroyed at the end of its scope, never copied. */
template <class T, void (*destroy)(T *)> class Holder {
public:
    Holder() : p_(0) {}
    ~Holder() { destroy(p_); }
    T **out() { return &p_; }
    operator T *() const { return p_; }

private:
    Holder(const Holder &);
    Holder &operator=(const Holder &);
    T *p_;
};
typedef Holder<gm_context, gm_context_destroy> Context;
typedef Holder<gm_tensor, gm_tensor_destroy> Tensor;
typedef Holder<gm_dataset, gm_dataset_destroy> Dataset;
typedef Holder<gm_vae, gm_vae_destroy> Vae;

struct Error : std::runtime_error {
    Error(gm_status s, const std::string &text) : std::runtime_error(text), status(s) {}
    gm_status status;
};

/* check(context) << call: throws with the library's message when the call failed. */
class check {
public:
    explicit check(const Context &c) : c_(c) {}
    void operator<<(gm_status s) const
    {
        if (s != GM_OK) throw Error(s, c_ ? gm_context_error(c_) : gm_status_text(s));
    }

private:
    const Context &c_;
};

/* A tensor [rows, columns] over a vector's memory: the vector must outlive it, and keep its size. */
static void wrap(const Context &c, std::vector<float> &v, int64_t columns, Tensor &t)
{
    const int64_t dims[2] = {static_cast<int64_t>(v.size()) / columns, columns};
    check(c) << gm_tensor_wrap(c, GM_F32, 2, dims, 0, &v[0], t.out());
}

static std::vector<float> circle(int n)
{
    std::vector<float> x;
    unsigned s = 1;
    for (int i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        const double angle = 6.283185307179586 * i / n, radius = 2 + 0.2 * ((s >> 8) / 16777216.0 - 0.5);
        x.push_back(static_cast<float>(radius * std::cos(angle)));
        x.push_back(static_cast<float>(radius * std::sin(angle)));
    }
    return x;
}

static void run()
{
    Context ctx;
    check(ctx) << gm_context_create(0, ctx.out());

    std::vector<float> points = circle(512);
    Tensor x;
    Dataset data;
    wrap(ctx, points, 2, x);
    check(ctx) << gm_dataset_from_tensor(x, 0, 0, data.out());

    gm_vae_options options;
    gm_vae_options_init(&options, sizeof options);
    check(ctx) << gm_vae_options_preset(&options, "points"); /* two layers of 128, two latent dimensions */
    options.beta = "constant 0.1";

    gm_fit_options fit;
    gm_fit_options_init(&fit, sizeof fit);
    fit.max_steps = 300;
    fit.batch = 64;

    Vae vae;
    check(ctx) << gm_vae_create(ctx, gm_dataset_spec(data), &options, vae.out());
    check(ctx) << gm_vae_fit(vae, data, &fit);

    /* four points of the circle, to the latent space and back */
    std::vector<float> few, z(8), back(8);
    for (int i = 0; i < 4; i++) few.insert(few.end(), points.begin() + 256 * i, points.begin() + 256 * i + 2);
    Tensor from, latent, to;
    wrap(ctx, few, 2, from);
    wrap(ctx, z, 2, latent);
    wrap(ctx, back, 2, to);
    check(ctx) << gm_vae_encode(vae, from, 0, latent, 0);
    check(ctx) << gm_vae_decode(vae, latent, 0, GM_DRAW_MEAN, 0, to);
    double worst = 0;
    for (int i = 0; i < 4; i++) {
        const double dx = few[2 * i] - back[2 * i], dy = few[2 * i + 1] - back[2 * i + 1], off = std::sqrt(dx * dx + dy * dy);
        worst = off > worst ? off : worst;
        std::printf("(%5.2f, %5.2f) -> z (%5.2f, %5.2f) -> (%5.2f, %5.2f)\n", few[2 * i], few[2 * i + 1], z[2 * i], z[2 * i + 1], back[2 * i],
                    back[2 * i + 1]);
    }
    std::printf("largest distance %s\n", worst < 1 ? "below 1, of a circle of radius 2" : "1 or more");

    /* what goes wrong is an exception with the library's words; everything above is destroyed on the way out */
    Tensor wrong;
    wrap(ctx, back, 4, wrong);
    check(ctx) << gm_vae_encode(vae, wrong, 0, latent, 0);
}

int main()
{
    try {
        run();
    } catch (const Error &e) {
        std::printf("%s: %s\n", gm_status_name(e.status), e.what());
        return e.status == GM_E_SHAPE ? 0 : 1; /* the one at the end */
    } catch (const std::exception &e) {
        std::printf("%s\n", e.what());
    }
    return 1;
}
