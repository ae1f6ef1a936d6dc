# Who acts: what rules ask about the principal again and again.
package nexus.lib.agents

# An agent is the base of the principal, or one of the actors in front of it.
acting if input.principal.base.type == "agent"

acting if {
	some actor in input.principal.actors
	actor.type == "agent"
}
