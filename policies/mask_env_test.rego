package nexus.rules.mask_env_test

import data.nexus.rules.mask_env

# A file as the gate describes it. Whom the rule concerns stands in its metadata, and is tested where bundles are loaded.
file(path) := {"path": path, "name": regex.replace(path, `.*/`, "")}

asked(path) := answer if {
	answer := mask_env.oblige with input as {"objects": [file(path)]}
}

masked := {{"name": "mask_values"}}

dotenv := {
	"/.env",
	"/app/.env",
	"/app/.ENV",
	"/app/.env.local",
	"/app/.env.production",
	"/app/.env.example.local",
	"/app/.envrc",
	"/app/prod.env",
}

others := {
	"/app/.env.example",
	"/app/.env.sample",
	"/app/.env.template",
	"/app/.env/bin/activate",
	"/app/environment.go",
	"/app/env",
	"/app/.envoy",
	"/app/dotenv.md",
	"",
}

test_dotenv_is_masked if {
	every path in dotenv {
		asked(path) == masked
	}
}

test_other_files_are_not_masked if {
	every path in others {
		count(asked(path)) == 0
	}
}
