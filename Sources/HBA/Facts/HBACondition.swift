import PGWire

/// Whether one column of a rule matches, as far as the facts go.
enum HBACondition: Sendable {
    case yes
    case no
    case needs(HBANeed)
    case unavailable(HBANeed, reason: String)

    /// Whether the user is a member of a role.
    static func isMember(of role: String, _ user: String, _ facts: HBAFacts) -> HBACondition {
        if user.hasSameBytes(as: role) { return .yes }
        switch facts.roles {
        case .notAsked: return .needs(.roles)
        case .known(let roles): return roles.contains(ExactName(role)) ? .yes : .no
        case .unavailable(let reason): return .unavailable(.roles, reason: reason)
        }
    }

    /// Whether the client has a host name that fits.
    static func hostName(_ facts: HBAFacts, _ fits: (String) -> Bool) -> HBACondition {
        switch facts.hostName {
        case .notAsked: .needs(.hostName)
        case .known(let name): name.map(fits) == true ? .yes : .no
        case .unavailable(let reason): .unavailable(.hostName, reason: reason)
        }
    }

    /// Whether one of the gateway's own addresses fits.
    static func interface(_ facts: HBAFacts, _ fits: (HBAInterface) -> Bool) -> HBACondition {
        switch facts.interfaces {
        case .notAsked: .needs(.interfaces)
        case .known(let interfaces): interfaces.contains(where: fits) ? .yes : .no
        case .unavailable(let reason): .unavailable(.interfaces, reason: reason)
        }
    }

    /// One of two is enough. A fact that can still be had is asked for before one that cannot is lamented.
    func or(_ other: @autoclosure () -> HBACondition) -> HBACondition {
        switch self {
        case .yes: return .yes
        case .no: return other()
        case .needs, .unavailable:
            let second = other()
            switch (self, second) {
            case (_, .yes): return .yes
            case (.unavailable, .needs): return second
            default: return self
            }
        }
    }
}
