# METADATA
# title: An agent reads dotenv files with masked values
# description: >-
#   An agent needs the names in a dotenv file to set up what it runs, not the values. The store leaves the names and masks the values.
#   Examples and templates hold no values worth masking.
# custom:
#   operations: [files.read]
#   principals: [agent]
#   looks_at: [object]
#   obliges: [mask_values]
package nexus.rules.mask_env

oblige contains {"name": "mask_values"} if {
	some object in input.objects
	name := lower(object.name)
	regex.match(`\.env$|^\.env\.|^\.envrc$`, name)
	not name in {".env.example", ".env.sample", ".env.template"}
}
