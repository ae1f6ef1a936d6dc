package a

import "nexus/authzsvc/authz"

func literals(g ReadFile) {
	_ = ReadFile{}                       // want `literal of a\.ReadFile.*: only a gate makes one`
	_ = &ReadFile{}                      // want `literal of a\.ReadFile`
	_ = ReadFiles{}                      // want `literal of a\.ReadFiles`
	_ = authz.Grant[fileRead, File]{}    // want `literal of authz\.Grant`
	_ = []ReadFile{{}}                   // want `literal of a\.ReadFile`
	_ = map[string]ReadFile{"a": {}}     // want `literal of a\.ReadFile`
	_ = [1]ReadFile{}                    // want `array of grants`
	_ = renameGrant{}                    // want `left without a grant: What, Into`
	_ = renameGrant{What: g}             // one of several
	_ = authz.Pair[ReadFile, int]{}      // want `left without a grant: First`
	_ = authz.Pair[string, renameGrant]{ // want `left without a grant: Second`
		First: "a",
	}
	_ = []ReadFile{g}
	_ = renameGrant{What: g, Into: g}
	_ = renameGrant{g, g, 1}
	_ = renameGrant{N: 1}                        // want `left without a grant: What, Into`
	_ = authz.Pair[ReadFile, ReadFile]{First: g} // want `left without a grant: Second`
	_ = authz.Pair[ReadFile, int]{First: g}
	_ = []ReadFile{}
	_ = File{}
}

func variables(n int, g ReadFile) {
	var a ReadFile             // want `variable of a\.ReadFile.* without a value`
	var b renameGrant          // want `variable of a\.renameGrant without a value`
	var c [2]ReadFiles         // want `variable of \[2\]a\.ReadFiles`
	_ = new(ReadFile)          // want `new a\.ReadFile.*: only a gate makes one`
	_ = new(renameGrant)       // want `new a\.renameGrant`
	_ = make([]ReadFile, n)    // want `make with a length`
	_ = make([]ReadFile, 2, 4) // want `make with a length`
	_ = make([]ReadFile, 0, n)
	_ = make(map[string]ReadFile, n)
	var d ReadFile = g
	var e []ReadFile
	var f *ReadFile
	_, _, _, _, _, _ = a, b, c, d, e, f
}

func named(g ReadFile) (out ReadFile, err error) { // want `named result of a\.ReadFile`
	return g, nil
}

func unnamed(g ReadFile) (ReadFile, error) { return g, nil }

func generic[G any](g G) G {
	var none G
	_ = none
	return g
}
