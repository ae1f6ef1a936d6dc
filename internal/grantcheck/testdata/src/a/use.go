package a

import (
	"errors"
	"fmt"
)

func dropped(g ReadFile, s ReadFiles) {
	g.Use()             // want `the error of Use is dropped`
	defer s.Close()     // want `the error of Close is dropped`
	go s.Close()        // want `the error of Close is dropped`
	_ = s.Close()       // want `the error of Close is dropped`
	f, _ := g.Use()     // want `the error of Use is dropped`
	_, _ = s.Admit(nil) // want `the error of Admit is dropped`
	t, _ := s.Tenant()  // want `the error of Tenant is dropped`
	var h, _ = g.Use()  // want `the error of Use is dropped`
	fmt.Println(f, t, h, g.Obliged("mask"))
}

func early(g ReadFile) error {
	f, err := g.Use()
	fmt.Println(f.Path) // want `f is used before the error of Use is looked at`
	return err
}

func overwritten(g, h ReadFile) error {
	f, err := g.Use()
	i, err := h.Use() // want `the error of Use is overwritten before it is looked at`
	if err != nil {
		return err
	}
	fmt.Println(f, i)
	return nil
}

func inCase(g ReadFile, n int) error {
	switch n {
	case 1:
		f, err := g.Use()
		fmt.Println(f) // want `f is used before the error of Use is looked at`
		return err
	}
	return nil
}

func checked(g ReadFile) error {
	f, err := g.Use("mask")
	if err != nil {
		return err
	}
	fmt.Println(f.Path)
	return nil
}

func inCondition(g ReadFile, s ReadFiles) error {
	if f, err := g.Use(); err != nil {
		return err
	} else {
		fmt.Println(f)
	}
	if err := s.Close(); err != nil {
		return err
	}
	return s.Close()
}

func joined(g, h ReadFile) error {
	f, err := g.Use()
	i, other := h.Use()
	if err := errors.Join(err, other); err != nil {
		return err
	}
	fmt.Println(f, i)
	return nil
}

func passed(g ReadFile) (File, error) { return g.Use() }

func handed(g ReadFile) string { return must(g.Use()) }

func must(f File, err error) string {
	if err != nil {
		return ""
	}
	return f.Path
}

func both(g ReadFile) (File, error) {
	f, err := g.Use()
	return f, err
}
