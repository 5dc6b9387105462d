# Turns the .sql files given as arguments, sorted by name, into the C table of common/sql.h.
# Plain POSIX awk: Debian's default is mawk.

# "sql/stmt/claim.sql" -> "stmt/claim"
function name_of(path) {
    sub(/^.*sql\//, "", path)
    sub(/\.sql$/, "", path)
    return path
}

# A line as a C string. A question mark is escaped because two of them may start a trigraph. By
# character: awks differ in what a backslash means to gsub.
function quoted(line, i, c, out) {
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        out = out (c ~ /[\\"?]/ ? "\\" : "") c
    }
    return "\"" out "\\n\""
}

BEGIN {
    print "/* Made from sql/ by sql/embed.awk; do not edit. */"
    print "#include \"common/sql.h\"\n"
    print "const struct pm_sql pm_sql[] = {"
}

FNR == 1 {
    if (files++) {
        print "    },"
    }
    print "    {\"" name_of(FILENAME) "\","
}

{
    print "        " quoted($0)
}

END {
    if (files) {
        print "    },"
    }
    print "};\n"
    print "const size_t pm_sql_count = sizeof pm_sql / sizeof pm_sql[0];"
}
