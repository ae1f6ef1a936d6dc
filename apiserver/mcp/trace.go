package mcp

import "strings"

// traceID returns the id of the trace that a W3C traceparent names.
func traceID(traceparent string) (string, bool) {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || !hex(parts[0], 2) || parts[0] == "ff" || !hex(parts[1], 32) || !hex(parts[2], 16) || !hex(parts[3], 2) {
		return "", false
	}
	if parts[0] == "00" && len(parts) != 4 || strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return "", false
	}
	return parts[1], true
}

// hex reports whether text is n lower-case hexadecimal digits.
func hex(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789abcdef") == ""
}
