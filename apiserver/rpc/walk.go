package rpc

import (
	"bytes"
	"encoding/json"
)

// The functions here take JSON that is known to be valid. They cut it without copying and without decoding what is inside.

// members calls f with each member of an object: its name, unquoted, and its value.
func members(object []byte, f func(name, value []byte)) {
	for i := 1; ; {
		i = gap(object, i)
		if object[i] == '}' {
			return
		}
		end := after(object, i)
		name := unquoted(object[i:end])
		start := gap(object, end)
		end = after(object, start)
		f(name, object[start:end])
		i = end
	}
}

// elements returns the elements of an array, and at most n of them.
func elements(array []byte, n int) [][]byte {
	var all [][]byte
	for i := 1; len(all) < n; {
		i = gap(array, i)
		if array[i] == ']' {
			break
		}
		end := after(array, i)
		all = append(all, array[i:end])
		i = end
	}
	return all
}

// depth returns how deep objects and arrays are nested.
func depth(value []byte) int {
	deepest, now := 0, 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i = afterString(value, i) - 1
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		}
	}
	return deepest
}

// gap returns the index of the first byte from i on that is part of a value or ends a container.
func gap(raw []byte, i int) int {
	for {
		switch raw[i] {
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
		default:
			return i
		}
	}
}

// after returns the index behind the value that begins at i.
func after(raw []byte, i int) int {
	switch raw[i] {
	case '"':
		return afterString(raw, i)
	case '{', '[':
		return afterContainer(raw, i)
	}
	for i < len(raw) && !ends(raw[i]) {
		i++
	}
	return i
}

// ends reports whether a number or a literal cannot go on with c.
func ends(c byte) bool {
	switch c {
	case ',', ':', '}', ']', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

func afterContainer(raw []byte, i int) int {
	for open := 0; ; i++ {
		switch raw[i] {
		case '"':
			i = afterString(raw, i) - 1
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
}

// afterString returns the index behind the string whose quote is at i.
func afterString(raw []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(raw[i:], '"')
		if escapes(raw, i)%2 == 0 {
			return i + 1
		}
	}
}

// escapes returns how many backslashes stand in front of i.
func escapes(raw []byte, i int) int {
	n := 0
	for i--; raw[i] == '\\'; i-- {
		n++
	}
	return n
}

// unquoted returns the text of a string.
func unquoted(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return nil
	}
	return []byte(text)
}
