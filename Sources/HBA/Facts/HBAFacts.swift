/// What a policy may have to know beyond the question, and what asking for it gave. A login asks for a fact only when a
/// rule depends on it (see ``HBAFinding/needs(_:)``).
///
/// A value; any thread may make one.
package struct HBAFacts: Sendable {
    package enum Answer<Value: Sendable>: Sendable {
        case notAsked
        case known(Value)
        /// With the reason.
        case unavailable(String)
    }

    /// All roles the question's user is a member of, directly or not (pg_auth_members, whatever INHERIT says). The user
    /// itself always counts as a member of the role of its own name. A `Set` of strings holds one of several canonically
    /// equivalent names; all comparisons here are byte for byte.
    package var roles: Answer<Set<String>>
    /// The client's host name, found by reverse look-up and confirmed by forward look-up; nil when it has none.
    package var hostName: Answer<String?>
    /// The gateway's own addresses with their networks (samehost, samenet).
    package var interfaces: [HBAInterface]

    package init(
        roles: Answer<Set<String>> = .notAsked,
        hostName: Answer<String?> = .notAsked,
        interfaces: [HBAInterface] = []
    ) {
        self.roles = roles
        self.hostName = hostName
        self.interfaces = interfaces
    }

    package static let none = HBAFacts()
}

/// An address of the gateway, and the network it is in.
package struct HBAInterface: Sendable, Hashable {
    package let address: IPAddress
    package let network: IPNetwork

    /// - Parameter prefixLength: of the network mask; `nil` is returned when the family has no such prefix.
    package init?(address: IPAddress, prefixLength: Int) {
        guard let network = IPNetwork(address: address, prefixLength: prefixLength) else { return nil }
        self.address = address
        self.network = network
    }

    /// - Parameter mask: ones, then zeros, of the family of the address; `nil` is returned for any other.
    package init?(address: IPAddress, mask: IPAddress) {
        guard address.family == mask.family, let length = IPNetwork.prefixLength(ofMask: mask) else { return nil }
        self.init(address: address, prefixLength: length)
    }
}

/// A fact that a rule depends on.
package enum HBANeed: Sendable, Hashable {
    case roles
    case hostName
}

extension HBANeed: CustomStringConvertible {
    package var description: String {
        switch self {
        case .roles: "the roles of the user"
        case .hostName: "the host name of the client"
        }
    }
}

/// What the rules say to a question, with the facts known so far.
package enum HBAFinding: Sendable {
    /// The first match, an offset in the policy's rules.
    case rule(offset: Int)
    case noMatch
    /// The rules cannot go on without this fact: ask again with it.
    case needs(HBANeed)
    /// A rule depends on a fact that cannot be had. The login is refused: to skip the rule could let in whom it rejects.
    case undecidable(offset: Int, HBANeed, reason: String)
}
