package nexus.rules.private_keys_test

import data.nexus.rules.private_keys

# A file as the gate describes it. Whom the rule concerns stands in its metadata, and is tested where bundles are loaded.
file(path) := {"path": path, "name": regex.replace(path, `.*/`, "")}

asked(path) := answer if {
	answer := private_keys.refuse with input as {"objects": [file(path)]}
}

keys := {
	"/home/ann/.ssh/id_rsa",
	"/home/ann/.ssh/authorized_keys",
	"/home/ann/.ssh/deep/er/anything",
	"/home/ann/.gnupg/secring.gpg",
	"/id_ed25519",
	"/id_ecdsa_sk",
	"/backup/id_rsa.bak",
	"/backup/id_dsa~",
	"/backup/deploy_id_rsa",
	"/etc/ssh/ssh_host_ed25519_key",
	"/tls/server.pem",
	"/tls/server.key",
	"/tls/server.key.bak",
	"/tls/server.key~",
	"/TLS/SERVER.KEY",
	"/store/me.p12",
	"/store/me.pfx",
	"/store/release.keystore",
	"/putty/me.ppk",
	"/private_key.txt",
	"/privatekey",
}

others := {
	"/home/ann/.ssh/id_rsa.pub",
	"/src/id_rsa_parser/main.go",
	"/src/keys.go",
	"/src/key",
	"/src/monkey",
	"/docs/pem.md",
	"/src/ssh/client.go",
	"/tls/server.crt",
	"/src/keystore.go",
	"",
}

test_every_key_is_refused if {
	every path in keys {
		count(asked(path)) == 1
	}
}

test_other_files_are_not_refused if {
	every path in others {
		count(asked(path)) == 0
	}
}

test_one_key_among_several_objects_refuses if {
	refused := private_keys.refuse with input as {"objects": [file("/a.go"), file("/b.key")]}
	refused == {"an agent does not handle private keys"}
}

test_public_half_beside_private_half_does_not_hide_it if {
	refused := private_keys.refuse with input as {"objects": [file("/id_rsa.pub"), file("/id_rsa")]}
	count(refused) == 1
}

test_no_object_is_not_refused if {
	refused := private_keys.refuse with input as {"objects": []}
	count(refused) == 0
}
