package nexus.rules.mask_env_test

import data.nexus.rules.mask_env

# A file as the gate describes it. Whom the rule concerns stands in its metadata, and is tested where bundles are loaded.
file(path) := {"path": path, "name": regex.replace(path, `.*/`, "")}

asked(path) := answer if {
	answer := mask_env.oblige with input as {"operation": "files.read", "objects": [file(path)]}
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

test_a_dotenv_file_keeps_its_name if {
	count(mask_env.refuse) == 1 with input as {"operation": "files.rename", "objects": [file("/app/.env"), file("/app")]}
	count(mask_env.oblige) == 0 with input as {"operation": "files.rename", "objects": [file("/app/.env")]}
	count(mask_env.refuse) == 0 with input as {"operation": "files.rename", "objects": [file("/app/env"), file("/app")]}
	count(mask_env.refuse) == 0 with input as {"operation": "files.read", "objects": [file("/app/.env")]}
}
