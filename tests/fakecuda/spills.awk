# Reads what ptxas -v says of every kernel on every architecture; fails on a spill or a stack frame.
/bytes stack frame/ {
    seen++
    if ($1 != 0 || $5 != 0 || $9 != 0) {
        print "spills: " $0
        bad = 1
    }
}
/Used [0-9]+ registers/ {
    for (i = 1; i < NF; i++) {
        if ($i == "Used" && $(i + 1) > most) {
            most = $(i + 1)
        }
    }
}
END {
    print seen " kernels compiled, " most " registers at most, " (bad ? "SPILLS" : "no spills, no stack")
    exit bad || seen == 0
}
