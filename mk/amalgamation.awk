# SPDX-License-Identifier: MIT
# amalgamation.awk: one source file on its way into genrep.c: names that are local to the file get a prefix, so that two files may use the same ones.
#
#   awk -v prefix=train_data__ -f amalgamation.awk FILE          the file with its own names renamed
#   awk -v prefix=... -v also='NAMES' ...                         and these names too (of headers that a section has to itself)
#   awk -v only=1 -v also=... ...                                 those names alone
#   awk -v list=1 ...                                             only the names that would be renamed, one a line
#   awk -v undef=1 ...                                            only "#undef X" for each macro the file defines
#
# Local are: static functions and objects, typedefs, tags and enum constants at file scope, but for those that begin with gm_ or gmi_ (all=1: those
# too). The file is cut into tokens; strings, comments and what follows . or -> stay. In the body of a struct a name is renamed where it is a type or
# an array's size.
# With pasted=1 a token before ## is the first half of a local name (u_##name), and so is all that begins with it.

{ text = text $0 "\n" }

function put(kind, s) { n_tok++; tok[n_tok] = s; typ[n_tok] = kind }

function tokens(    s, m, c, start, i) {
    s = text
    start = 1 # at the start of a line: # begins a directive
    directive = 0
    while (s != "") {
        c = substr(s, 1, 1)
        if (substr(s, 1, 2) == "/*") {
            m = index(s, "*/") + 1
            put("C", substr(s, 1, m))
        } else if (c == "\n") {
            m = 1
            put("S", c)
            if (!directive_goes_on) directive = 0
            start = 1
        } else if (match(s, /^[ \t]+/)) {
            m = RLENGTH
            put("S", substr(s, 1, m))
        } else if (substr(s, 1, 2) == "\\\n") {
            m = 2
            put("S", substr(s, 1, 2))
        } else if (c == "\"" || c == "'") {
            for (m = 2; substr(s, m, 1) != c; m++) if (substr(s, m, 1) == "\\") m++
            put("T", substr(s, 1, m))
            start = 0
        } else if (match(s, /^[A-Za-z_][A-Za-z0-9_]*/)) {
            m = RLENGTH
            put("W", substr(s, 1, m))
            start = 0
        } else if (match(s, /^[.]?[0-9][A-Za-z0-9_.]*([eEpP][-+][0-9]+[A-Za-z]*)?/)) {
            m = RLENGTH
            put("N", substr(s, 1, m))
            start = 0
        } else {
            if (c == "#" && start) directive = 1
            m = substr(s, 1, 2) == "->" || substr(s, 1, 2) == "##" ? 2 : 1
            put("P", substr(s, 1, m))
            start = 0
        }
        pp[n_tok] = directive
        s = substr(s, m + 1)
    }
}

# Tokens that mean something, with links to the neighbours.
function link(    i, p) {
    p = 0
    for (i = 1; i <= n_tok; i++) {
        prev[i] = p
        if (typ[i] == "S" || typ[i] == "C") continue
        if (p) next_[p] = i
        p = i
    }
}

# Macros: parameters are nobody's names; M(name) makes a local name where M's text declares a function called by its first parameter; and a half
# that ends in _ before ## is the beginning of local names.
function macros(    i, j, first) {
    for (i = 1; i <= n_tok; i++) {
        if (!(pp[i] && tok[i] == "#" && tok[next_[i]] == "define")) continue
        i = next_[next_[i]]
        name = tok[i]
        if (tok[i + 1] != "(") {
            first = ""
            j = i
        } else {
            first = tok[next_[i + 1]]
            for (j = i + 1; tok[j] != ")"; j++) if (typ[j] == "W") param_at[i, tok[j]] = 1
        }
        for (; j <= n_tok && pp[j]; j++) {
            of_macro[j] = i
            if (typ[j] != "W") continue
            if (tok[j] == first && tok[next_[j]] == "(" && typ[prev[j]] == "W") direct[name] = 1
            if (pasted && tok[next_[j]] == "##" && !((i, tok[j]) in param_at) && tok[j] ~ /^[a-z].*_$/ && tok[j] !~ /^gmi?_/) half[tok[j]] = 1
        }
        i = j - 1
    }
}

function begins_local(s,    h) {
    for (h in half) if (index(s, h) == 1) return 1
    return 0
}

function local_name(s) { if ((all || s !~ /^(gm|gmi|GM|GMI)_/) && s !~ /^[A-Z][A-Z0-9_]*[(]/) local[s] = 1 }

# One declaration at file scope: tokens d[1..k] at brace depth 0, bodies left out.
function declaration(k,    i, j, last, depth, is_static, is_typedef) {
    for (i = 1; i <= k; i++) {
        if (d[i] == "static" || d[i] == "GMI_INLINE") is_static = 1
        if (d[i] == "typedef") is_typedef = 1
        if ((d[i] == "struct" || d[i] == "union" || d[i] == "enum") && dk[i + 1] == "W" && d[i + 2] == "{}") local_name(d[i + 1])
    }
    if (is_typedef) {
        for (i = 1; i <= k && d[i] != "("; i++) if (dk[i] == "W") last = d[i]
        if (d[i] == "(" && d[i + 1] == "*") last = d[i + 2]
        local_name(last)
        return
    }
    if (!is_static) return
    depth = 0
    for (i = 1; i <= k; i++) {
        if (d[i] == "(" && depth == 0 && d[i + 1] == "*") { # an array of, or a pointer to, functions
            for (j = i; d[j] != ")" && d[j] != "["; j++) if (dk[j] == "W") last = d[j]
            local_name(last)
            return
        }
        if (depth == 0 && (d[i] == "(" || d[i] == "[" || d[i] == "=" || d[i] == ";" || d[i] == ",")) {
            local_name(last)
            if (d[i] == "(") return
            for (; i <= k && d[i] != ","; i++) ; # the next declarator
            last = ""
            continue
        }
        if (dk[i] == "W") last = d[i]
    }
}

function scan(    i, k, depth, paren, enumerating, body) {
    k = depth = paren = 0
    for (i = 1; i <= n_tok; i++) {
        if (typ[i] == "S" || typ[i] == "C" || pp[i]) continue
        if (depth == 0 && k == 0 && typ[i] == "W" && tok[i] ~ /^[A-Z][A-Z0-9_]*$/ && tok[i] != "GMI_INLINE" && next_[i] && tok[next_[i]] == "(") {
            if (tok[i] in direct) local_name(tok[next_[next_[i]]])
            do { # a macro that makes functions
                if (tok[i] == "(") paren++
                if (tok[i] == ")") paren--
                i++
            } while (paren > 0 || tok[i - 1] != ")")
            i--
            continue
        }
        if (depth == 0 && k == 0 && tok[i] == ";") continue
        if (tok[i] == "{") {
            if (depth++ == 0) {
                body = 0
                enumerating = 0
                for (j = 1; j <= k; j++) {
                    if (d[j] == "enum") enumerating = 1
                    if (d[j] == "(") body = 1
                    if (d[j] == "=") body = 0
                }
                if (k > 2 && d[k] != ")") body = 0
                if (enumerating && body) enumerating = 0
                d[++k] = "{}"
                dk[k] = "P"
            }
            continue
        }
        if (tok[i] == "}") {
            if (--depth == 0 && body) {
                d[k + 1] = d[k + 2] = ""
                declaration(k)
                k = 0
            }
            continue
        }
        if (depth) {
            if (depth == 1 && enumerating && typ[i] == "W" && (tok[prev[i]] == "{" || tok[prev[i]] == ",") && tok[next_[i]] != "(") local_name(tok[i])
            continue
        }
        d[++k] = tok[i]
        dk[k] = typ[i]
        if (tok[i] == ";") {
            d[k + 1] = d[k + 2] = ""
            declaration(k)
            k = 0
        }
    }
}

function rename(    i, depth, p, q, out) {
    depth = 0
    for (i = 1; i <= n_tok; i++) {
        if (typ[i] == "P" && tok[i] == "{" && !pp[i]) {
            p = prev[i]
            in_struct[++depth] = tok[p] == "struct" || tok[p] == "union" || (typ[p] == "W" && (tok[prev[p]] == "struct" || tok[prev[p]] == "union"))
        }
        if (typ[i] == "P" && tok[i] == "}" && !pp[i]) depth--
        out = tok[i]
        if (typ[i] == "W" && out != "defined") {
            p = prev[i]
            q = next_[i]
            if (tok[p] == "." || tok[p] == "->") ;
            else if (pp[i] && (of_macro[i], out) in param_at) ;
            else if (pasted && begins_local(out) && tok[p] != "##") out = prefix out
            else if (pasted && tok[q] == "##" && tok[p] != "##" && out ~ /^[a-z]/ && out !~ /^gmi?_/) out = prefix out
            else if (!(out in local)) ;
            else if (depth && in_struct[depth] && !pp[i] && typ[q] != "W" && tok[q] != "*" && tok[p] != "[") ;
            else out = prefix out
        }
        printf "%s", out
    }
}

END {
    if (undef) {
        n = split(text, line, "\n")
        for (i = 1; i <= n; i++)
            if (match(line[i], /^[ \t]*#[ \t]*define[ \t]+[A-Za-z_][A-Za-z0-9_]*/)) {
                name = substr(line[i], 1, RLENGTH)
                sub(/.*[ \t]/, "", name)
                if (!seen[name]++) print "#undef " name
            }
        exit
    }
    tokens()
    link()
    macros()
    if (!only) scan()
    n = split(also, more, /[ \n]+/)
    for (i = 1; i <= n; i++) if (more[i] != "") local[more[i]] = 1
    if (list) for (name in local) print name
    else rename()
}
