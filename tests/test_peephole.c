/* SPDX-License-Identifier: MIT */
/* test_peephole.c: operations taken together (exec/peephole.c) give the bits they gave alone. Random programs of additions, products, activations and choices, with
 * registers that are used again and results that lie where an input was; and how many operations are left of the chains that networks have. */
#include "exec/elem_plan.h"
#include "tap.h"

enum { INPUTS = 6, OUTPUTS = 2, REGS = 4, PLACES = INPUTS + OUTPUTS + REGS, MOST = 24, N = 37 };

static gmi_kernels k;
static uint64_t state;

static uint32_t draw(uint32_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % n;
}

typedef struct program {
    gmi_elem_plan q;
    gmi_micro micro[MOST];
    gmi_elem_input input[INPUTS];
    int32_t sum[1];
    int32_t alias; /* output 0 lies where this input was, or -1 */
} program;

/* Inputs 4 and 5 are one number each. */
static void begin(program *p)
{
    memset(p, 0, sizeof *p);
    p->q.rank = 1, p->q.dims[0] = N, p->q.n_in = INPUTS, p->q.n_out = OUTPUTS, p->q.n_regs = REGS, p->q.n_places = PLACES;
    p->q.micro = p->micro, p->q.input = p->input, p->q.sum = p->sum;
    for (int i = 0; i < INPUTS; i++) p->input[i].mode = i < 4 ? GMI_IN_CONTIG : GMI_IN_HOIST, p->input[i].strides[0] = i < 4;
    p->alias = -1;
}

static void add(program *p, gmi_micro_kind kind, int32_t op, int32_t out, int32_t a, int32_t b, int32_t c)
{
    gmi_micro *m = &p->micro[p->q.n_micro++];
    m->kind = kind, m->op = op, m->out = out, m->in[0] = a, m->in[1] = b, m->in[2] = c;
    m->p = (gmi_real)0.2;
}

static void execute(const program *p, gmi_real got[OUTPUTS + 1][N])
{
    static gmi_real memory[PLACES][N];
    gmi_real *place[PLACES];
    state = 5;
    for (int i = 0; i < PLACES; i++) {
        for (int j = 0; j < N; j++) memory[i][j] = i == 4 ? (gmi_real)0.5 : i == 5 ? (gmi_real)-1.5 : i < INPUTS ? (gmi_real)((int)draw(2000) - 1000) / 300 : 0;
        place[i] = memory[i];
    }
    if (p->alias >= 0) place[INPUTS] = place[p->alias];
    for (int i = 0; i < p->q.n_micro; i++) {
        const gmi_micro *m = &p->micro[i];
        const gmi_real *in[GMI_FUSED_IN];
        for (int e = 0; e < GMI_FUSED_IN; e++) in[e] = place[m->in[e]];
        switch (m->kind) {
        case GMI_MICRO_UNARY: k.unary[m->op](N, place[m->out], in[0], m->p); break;
        case GMI_MICRO_BINARY: k.binary[m->op](N, place[m->out], in[0], in[1]); break;
        case GMI_MICRO_SELECT: k.select(N, place[m->out], in[0], in[1], in[2]); break;
        case GMI_MICRO_FUSED: k.fused[m->op](N, place[m->out], in, m->p, m->hi < 0 ? 1 : *place[m->hi], m->lo < 0 ? 0 : *place[m->lo]); break;
        default: break;
        }
    }
    for (int o = 0; o < OUTPUTS; o++) memcpy(got[o], place[INPUTS + o], sizeof got[o]);
    if (p->q.n_sums) memcpy(got[OUTPUTS], place[p->sum[0]], sizeof got[OUTPUTS]);
}

/* Reads registers that were written, results that are there, inputs that have not been taken by a result. */
static int32_t operand(const program *p, const int *written)
{
    if (p->q.n_micro && draw(2)) return p->micro[p->q.n_micro - 1].out;
    for (;;) {
        int32_t x = (int32_t)draw(PLACES);
        if (draw(3) && x < INPUTS) continue;
        if (x == p->alias && written[INPUTS]) continue;
        if (x < INPUTS || written[x]) return x;
    }
}

static void random_program(program *p, uint64_t seed)
{
    int written[PLACES] = {0};
    begin(p);
    state = seed;
    p->alias = draw(2) ? (int32_t)draw(4) : -1;
    for (int i = 0; i < MOST; i++) {
        const uint32_t what = draw(12);
        const int32_t a = operand(p, written), b = operand(p, written);
        int32_t out = INPUTS + OUTPUTS + (int32_t)draw(REGS);
        if (i >= MOST - 8 && draw(3) == 0) /* a result is written once */
            for (int o = 0; o < OUTPUTS; o++)
                if (!written[INPUTS + o] && draw(2)) out = INPUTS + o;
        if (out < INPUTS + OUTPUTS && written[out]) continue;
        if (what < 4) add(p, GMI_MICRO_BINARY, GMI_B_mul, out, a, b, 0);
        else if (what < 7) add(p, GMI_MICRO_BINARY, GMI_B_add, out, a, b, 0);
        else if (what == 7) add(p, GMI_MICRO_UNARY, GMI_U_relu, out, a, 0, 0);
        else if (what == 8) add(p, GMI_MICRO_UNARY, GMI_U_leaky_relu, out, a, 0, 0);
        else if (what == 9) add(p, GMI_MICRO_UNARY, GMI_U_step, out, a, 0, 0);
        else if (what == 10) add(p, GMI_MICRO_SELECT, 0, out, a, 4, 5);
        else add(p, GMI_MICRO_BINARY, GMI_B_sub, out, a, b, 0);
        written[out] = 1;
    }
    if (written[PLACES - 1] && draw(2)) p->q.n_sums = 1, p->sum[0] = PLACES - 1;
}

static void random_programs(void)
{
    static gmi_real want[OUTPUTS + 1][N], got[OUTPUTS + 1][N];
    int64_t before = 0, after = 0;
    int same = 1;
    for (uint64_t seed = 1; seed <= 20000 && same; seed++) {
        program p;
        random_program(&p, seed * UINT64_C(0x9E3779B97F4A7C15));
        memset(want, 0, sizeof want), memset(got, 0, sizeof got);
        before += p.q.n_micro;
        execute(&p, want);
        gmi_elem_fuse(&p.q);
        after += p.q.n_micro;
        execute(&p, got);
        same = memcmp(want, got, sizeof want) == 0;
        if (!same) printf("# seed %d\n", (int)seed);
    }
    ok(same, "random programs keep their bits");
    ok(after < before - before / 20, "and lose operations (%d of %d left)", (int)after, (int)before);
}

/* r = registers, o = the first result */
enum { R = INPUTS + OUTPUTS, O = INPUTS };

static void left(const char *what, program *p, int32_t want)
{
    static gmi_real alone[OUTPUTS + 1][N], together[OUTPUTS + 1][N];
    memset(alone, 0, sizeof alone), memset(together, 0, sizeof together);
    execute(p, alone);
    gmi_elem_fuse(&p->q);
    execute(p, together);
    is_int(p->q.n_micro, want, "%s: %d left", what, want);
    ok(memcmp(alone, together, sizeof alone) == 0, "the same bits");
}

int main(void)
{
    program p;
    if (gmi_kernels_fill(&k, GM_SIMD_SCALAR, 1u << GM_SIMD_SCALAR)) return 1;
    random_programs();
    begin(&p);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, R, 0, 1, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, R + 1, R, 2, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_add, R, 3, R + 1, 0);
    add(&p, GMI_MICRO_UNARY, GMI_U_leaky_relu, O, R, 0, 0);
    left("batch norm's scale and shift, and an activation", &p, 1);
    begin(&p);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, R, 0, 1, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_add, R + 1, R, 2, 0);
    add(&p, GMI_MICRO_UNARY, GMI_U_relu, R + 1, R + 1, 0, 0);
    add(&p, GMI_MICRO_UNARY, GMI_U_step, R + 1, R + 1, 0, 0);
    add(&p, GMI_MICRO_SELECT, 0, R + 1, R + 1, 4, 5);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, R + 1, 3, R + 1, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, O, R, R + 1, 0);
    left("the gradient of an activation that is made again; its first product has two readers", &p, 3);
    begin(&p);
    add(&p, GMI_MICRO_UNARY, GMI_U_step, R, 0, 0, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, O, 1, R, 0);
    left("relu's gradient", &p, 1);
    begin(&p);
    p.alias = 0;
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, R, 0, 1, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_sub, O, 2, 3, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_add, O + 1, R, 2, 0);
    left("a product whose operand is written over cannot wait", &p, 3);
    begin(&p);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, R, 0, 1, 0);
    add(&p, GMI_MICRO_BINARY, GMI_B_add, O, R, 2, 0);
    p.q.n_sums = 1, p.sum[0] = R;
    left("a register that is summed stays", &p, 2);
    begin(&p);
    add(&p, GMI_MICRO_UNARY, GMI_U_step, R, 0, 0, 0);
    add(&p, GMI_MICRO_SELECT, 0, R, R, 2, 5);
    add(&p, GMI_MICRO_BINARY, GMI_B_mul, O, 1, R, 0);
    left("a choice between numbers of each element stays", &p, 3);
    return done();
}
