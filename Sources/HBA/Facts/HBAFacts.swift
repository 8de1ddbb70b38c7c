package import PGWire

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
    /// itself always counts as a member of the role of its own name.
    package var roles: Answer<Set<ExactName>>
    /// The client's host name, found by reverse look-up and confirmed by forward look-up; nil when it has none.
    package var hostName: Answer<String?>
    /// The gateway's own addresses with their networks (samehost, samenet).
    package var interfaces: Answer<[HBAInterface]>

    package init(
        roles: Answer<Set<ExactName>> = .notAsked,
        hostName: Answer<String?> = .notAsked,
        interfaces: Answer<[HBAInterface]> = .known([])
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

    /// - Parameter mask: as the system tells it. Without one, and with one that is empty, has holes or is of the other
    ///   family, the address is alone in its network: a point-to-point link is no network of everybody, as in
    ///   PostgreSQL.
    package init?(address: IPAddress, mask: IPAddress?) {
        let length = mask.flatMap { $0.family == address.family ? IPNetwork.prefixLength(ofMask: $0) : nil } ?? 0
        self.init(address: address, prefixLength: length == 0 ? address.family.bitCount : length)
    }
}

/// A fact that a rule depends on.
package enum HBANeed: Sendable, Hashable {
    case roles
    case hostName
    case interfaces
}

extension HBANeed: CustomStringConvertible {
    package var description: String {
        switch self {
        case .roles: "the roles of the user"
        case .hostName: "the host name of the client"
        case .interfaces: "the addresses of the gateway"
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
    /// A rule depends on a fact that cannot be had. The login is refused: to skip the rule could let in whom it
    /// rejects.
    case undecidable(offset: Int, HBANeed, reason: String)
}
