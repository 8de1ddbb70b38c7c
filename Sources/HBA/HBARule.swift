/// The first column of a rule: which way of coming in it speaks of.
package enum HBAConnectionKind: String, Sendable, Hashable, CaseIterable {
    /// Unix sockets.
    case local
    /// TCP, with TLS or without.
    case host
    case hostssl
    case hostnossl
    /// TCP inside GSSAPI encryption: matches nobody, the gateway has none.
    case hostgssenc
    /// TCP outside GSSAPI encryption: as `host`.
    case hostnogssenc

    /// Whether the rule has an address column.
    package var hasAddress: Bool { self != .local }
}

/// One word of the database column.
package enum HBADatabase: Sendable, Hashable {
    /// Every database, but no physical replication.
    case all
    /// The database with the name of the user.
    case sameUser
    /// The databases with the name of a role that the user is a member of, directly or not. `samegroup` is the same.
    case sameRole
    /// Physical replication connections, and only these.
    case replication
    /// The database of this name, compared byte for byte.
    case name(String)
    /// `/expression`: the databases whose name it matches.
    case pattern(HBARegex)
}

/// One word of the user column.
package enum HBAUser: Sendable, Hashable {
    case all
    /// `+role`: the members of the role, direct or not, and the user of that name.
    case role(String)
    /// The user of this name, compared byte for byte.
    case name(String)
    /// `/expression`: the users whose name it matches.
    case pattern(HBARegex)
}

/// The address column.
package enum HBAAddress: Sendable, Hashable {
    /// Every address of both families.
    case all
    case network(IPNetwork)
    /// The gateway's own addresses.
    case sameHost
    /// The networks the gateway has an address in.
    case sameNet
    /// The client whose address belongs to this name, compared without case.
    case hostName(String)
    /// `.example.com`: clients whose name ends like this.
    case hostNameSuffix(String)
}

/// A `name=value` behind the method. Which names a method takes is the affair of its provider.
///
/// The value may be a secret (`ldapbindpasswd`): descriptions and mirrors leave it out for such names.
package struct HBAOption: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// Names with a word for secrets in them that hold none: paths of public keys, and a flag.
    private static let openNames: Set<String> = ["keys", "passthrough"]

    /// Whether the name speaks of a secret.
    package var isSecret: Bool {
        let name = self.name.lowercased()
        guard !Self.openNames.contains(name) else { return false }
        return ["pass", "secret", "token", "key"].contains { name.contains($0) }
    }

    /// The value, or three asterisks for a secret.
    package var shownValue: String {
        self.isSecret ? "***" : self.value
    }
}

/// One rule of a policy. Immutable; any thread may hold one.
package struct HBARule: Sendable {
    /// The method that refuses; every policy knows it.
    package static let rejectMethod = "reject"

    /// The position among the rules of the policy, from 1.
    package let index: Int
    /// The name of the text the rule stands in, and the physical line where it starts, from 1.
    package let file: String
    package let line: Int

    package let kind: HBAConnectionKind
    /// Never empty; one match is enough.
    package let databases: [HBADatabase]
    /// Never empty; one match is enough.
    package let users: [HBAUser]
    /// `nil` for `local` rules only.
    package let address: HBAAddress?
    package let method: String
    package let options: [HBAOption]
    /// The rule as it is written, without its comment; secret option values are replaced.
    package let source: String

    /// Whether the method is `reject`.
    package var isReject: Bool { self.method == Self.rejectMethod }

    /// The value of an option.
    package func option(_ name: String) -> String? {
        self.options.first { $0.name == name }?.value
    }
}

extension HBAOption: CustomStringConvertible, CustomReflectable {
    /// `name=value` as it may stand in a policy, with three asterisks for a secret.
    package var description: String {
        self.name + "=" + HBAQuoting.plain(self.shownValue)
    }

    package var customMirror: Mirror {
        Mirror(self, children: ["name": self.name, "value": self.shownValue])
    }
}

extension HBARule: CustomStringConvertible {
    /// The canonical text of the rule: single blanks, CIDR, quotes only where needed. Read as a policy it gives the
    /// same rule (except for secret option values).
    package var description: String {
        var columns = [self.kind.rawValue]
        columns.append(self.databases.map(\.description).joined(separator: ","))
        columns.append(self.users.map(\.description).joined(separator: ","))
        if let address = self.address {
            columns.append(address.description)
        }
        columns.append(self.method)
        columns.append(contentsOf: self.options.map(\.description))
        return columns.joined(separator: " ")
    }
}

extension HBADatabase: CustomStringConvertible {
    /// The word as it stands in a policy.
    package var description: String {
        switch self {
        case .all: "all"
        case .sameUser: "sameuser"
        case .sameRole: "samerole"
        case .replication: "replication"
        case .name(let name): HBAQuoting.name(name)
        case .pattern(let regex): HBAQuoting.plain("/" + regex.pattern)
        }
    }
}

extension HBAUser: CustomStringConvertible {
    /// The word as it stands in a policy.
    package var description: String {
        switch self {
        case .all: "all"
        case .role(let name): "+" + HBAQuoting.plain(name)
        case .name(let name): HBAQuoting.name(name)
        case .pattern(let regex): HBAQuoting.plain("/" + regex.pattern)
        }
    }
}

extension HBAAddress: CustomStringConvertible {
    /// The address column as it stands in a policy.
    package var description: String {
        switch self {
        case .all: "all"
        case .network(let network): network.description
        case .sameHost: "samehost"
        case .sameNet: "samenet"
        case .hostName(let name), .hostNameSuffix(let name): HBAQuoting.hostName(name)
        }
    }
}
