extension HBAPolicy {
    /// The policy when neither rules nor an allow list are configured: everybody may try, and proves to be who they are
    /// by the secret the gateway holds (method `md5`, which takes SCRAM secrets too).
    package static let permissive = HBAPolicy(
        rules: [
            HBARule.everyone(index: 1, file: "default", line: 1, kind: .local, address: nil),
            HBARule.everyone(index: 2, file: "default", line: 2, kind: .host, address: .all),
        ]
    )

    /// The policy that stands in for one that cannot be read: it has no rule, so it lets nobody in.
    package static let refusing = HBAPolicy(rules: [])

    /// The legacy setting `general.hba`, a list of CIDR ranges, as rules: clients by unix socket, and by TCP from one
    /// of the ranges, prove themselves by method `md5`; others are refused. An empty list lets nobody in by TCP.
    ///
    /// - Throws: every range that cannot be understood; `line` is its number in the list, from 1.
    package static func legacyAllowList(cidrs: [String]) throws(HBAErrors) -> HBAPolicy {
        let file = "general.hba"
        var errors = HBAErrors()
        var rules = [HBARule.everyone(index: 1, file: file, line: 0, kind: .local, address: nil)]
        for (offset, text) in cidrs.enumerated() {
            let line = offset + 1
            let problem: (reason: String, hint: String?)
            switch IPNetwork.parse(text) {
            case .network(let network) where !network.coversOnlyMappedIPv4:
                rules.append(
                    .everyone(index: line + 1, file: file, line: line, kind: .host, address: .network(network))
                )
                continue
            case .network:
                problem = ("an IPv4-mapped IPv6 address matches nobody", "write the IPv4 address")
            case .badAddress(let text):
                problem = ("\(text.excerpt) is not an IP address", "ranges are written as 10.0.0.0/8 or 2001:db8::/32")
            case .badPrefix(let text, let longest):
                problem = ("\(text.excerpt) is not a prefix length of 0 to \(longest)", nil)
            }
            errors.append(
                HBAError(file: file, line: line, column: 1, reason: problem.reason, hint: problem.hint)
            )
        }
        guard errors.isEmpty else { throw errors }
        return HBAPolicy(rules: rules)
    }
}

extension HBARule {
    /// A rule for all databases and users by method `md5`.
    fileprivate static func everyone(
        index: Int,
        file: String,
        line: Int,
        kind: HBAConnectionKind,
        address: HBAAddress?
    ) -> HBARule {
        let columns = [kind.rawValue, "all", "all", address?.description, "md5"].compactMap { $0 }
        return HBARule(
            index: index,
            file: file,
            line: line,
            kind: kind,
            databases: [.all],
            users: [.all],
            address: address,
            method: "md5",
            options: [],
            source: columns.joined(separator: " ")
        )
    }
}
