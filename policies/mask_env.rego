# METADATA
# title: An agent sees dotenv files with masked values
# description: >-
#   An agent needs the names in a dotenv file to set up what it runs, not the values. The store leaves the names and masks the values,
#   and refuses what would give the values another name. Examples and templates hold no values worth masking.
# custom:
#   operations: [files.read, files.copy, files.rename, versions.get, versions.diff]
#   principals: [agent]
#   looks_at: [object]
#   obliges: [mask_values]
package nexus.rules.mask_env

oblige contains {"name": "mask_values"} if {
	input.operation != "files.rename"
	some object in input.objects
	dotenv(object)
}

refuse contains "an agent does not rename dotenv files" if {
	input.operation == "files.rename"
	some object in input.objects
	dotenv(object)
}

dotenv(object) if {
	name := lower(object.name)
	regex.match(`\.env$|^\.env\.|^\.envrc$`, name)
	not name in {".env.example", ".env.sample", ".env.template"}
}
