package nexus.rules.mask_env_test

import data.nexus.rules.mask_env

agent := {"base": {"type": "agent"}, "actors": []}

person := {"base": {"type": "user"}, "actors": []}

agent_for_person := {"base": {"type": "user"}, "actors": [{"type": "agent"}]}

# A file as the gate describes it.
file(path) := {"path": path, "name": regex.replace(path, `.*/`, "")}

asked(principal, path) := answer if {
	answer := mask_env.oblige with input as {"principal": principal, "objects": [file(path)]}
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

test_agent_reads_masked if {
	every path in dotenv {
		asked(agent, path) == masked
	}
}

test_agent_acting_for_a_person_reads_masked if {
	every path in dotenv {
		asked(agent_for_person, path) == masked
	}
}

test_person_reads_values if {
	every path in dotenv {
		count(asked(person, path)) == 0
	}
}

test_other_files_are_not_masked if {
	every path in others {
		count(asked(agent, path)) == 0
	}
}
