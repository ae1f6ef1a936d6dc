package a

func zeroInTest() ReadFile { return ReadFile{} }
