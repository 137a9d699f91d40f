# SPDX-License-Identifier: MIT
# amalgamation_join.awk: prints files one behind the other; an included header of the project stands where it is first asked for, a .def file everywhere.
#   awk -v roots='DIR1 DIR2' -v skip='HEADERS' -v once='HEADERS' -f amalgamation_join.awk FILE...
# Files and headers are looked for in the roots in turn; skipped headers vanish, so do those that are there already (once).

function open_name(name,    i, path, line) {
    for (i = 1; i <= n_roots; i++) {
        path = root[i] "/" name
        if ((getline line < path) >= 0) {
            close(path)
            return path
        }
    }
    print "amalgamation: no file " name > "/dev/stderr"
    exit 1
}

# The path of a header as seen from a file in its own folder.
function full(name, from) {
    if (name ~ /\//) return name
    sub(/[^\/]*$/, "", from)
    return from name
}

function emit(name, depth,    path, line, h) {
    path = open_name(name)
    while ((getline line < path) > 0) {
        if (line ~ /SPDX-License-Identifier/) continue
        if (line ~ /^[ \t]*#[ \t]*include[ \t]*"/) {
            h = line
            sub(/^[^"]*"/, "", h)
            sub(/".*/, "", h)
            h = full(h, name)
            if (!(h in gone) && (!(h in done) || h ~ /\.def$/)) {
                done[h] = 1
                emit(h, depth + 1)
            }
        } else print line
    }
    close(path)
}

BEGIN {
    n_roots = split(roots, root, " ")
    n = split(skip, s, " ")
    for (i = 1; i <= n; i++) gone[s[i]] = 1
    n = split(once, s, " ")
    for (i = 1; i <= n; i++) done[s[i]] = 1
    for (i = 1; i < ARGC; i++) {
        if (ARGV[i] ~ /^=/) {
            print substr(ARGV[i], 2)
            continue
        }
        if (ARGV[i] in done) continue
        done[ARGV[i]] = 1
        print "\n/* ==== " ARGV[i] " ==== */"
        emit(ARGV[i], 0)
    }
}
