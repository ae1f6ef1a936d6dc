# METADATA
# title: An agent does not handle private keys
# description: >-
#   Refuses an agent the contents and the metadata of files whose name says that they hold a private key, whether it acts for itself or
#   for a person, and whatever the relations allow. Lists ask it as files.read, so such files do not show there either.
# custom:
#   operations: [files.read, files.write, files.exists, files.get_metadata, files.copy, files.rename, versions.get, versions.diff]
#   principals: [agent]
#   looks_at: [object]
package nexus.rules.private_keys

message := "an agent does not handle private keys"

refuse contains message if {
	some object in input.objects
	name := lower(object.name)
	regex.match(private, name)
	not endswith(name, ".pub")
}

# Whatever the tools keep there, authorized_keys included, but the public halves.
refuse contains message if {
	some object in input.objects
	path := lower(object.path)
	regex.match(`/\.(ssh|gnupg)/`, path)
	not endswith(path, ".pub")
}

# One expression, because every file of a list is held against it.
private := concat("|", [
	`id_(rsa|dsa|ecdsa|ed25519|xmss)(_sk)?([.~-].*)?$`, # copies and backups too
	`^ssh_host_[a-z0-9]+_key$`,
	`^private[_-]?key`,
	`\.(pem|key|p8|pk8|p12|pfx|jks|jceks|keystore|ppk|kdbx)([.~-](bak|old|orig|backup|[0-9]+)?)?$`,
])
