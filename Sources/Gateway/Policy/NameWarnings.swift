import HBA

extension Snapshot {
    /// `ALL` and `"all"` are names, to PostgreSQL as here, and everybody to pg_doorman: a rule written for it says
    /// nothing about those whom it was meant for, and one with `reject` lets them pass on.
    static func nameWarnings(_ policy: HBAPolicy) -> [String] {
        var warnings: [String] = []
        for rule in policy.rules {
            for case .name(let name) in rule.databases where Self.isLikeAll(name) {
                warnings.append(Self.nameWarning(name, of: "database", rule))
            }
            for case .name(let name) in rule.users where Self.isLikeAll(name) {
                warnings.append(Self.nameWarning(name, of: "user", rule))
            }
        }
        return warnings
    }

    private static func isLikeAll(_ name: String) -> Bool { name.lowercased() == "all" }

    private static func nameWarning(_ name: String, of column: String, _ rule: HBARule) -> String {
        "\(rule.file):\(rule.line): \"\(name)\" is the name of a \(column) here; "
            + "the keyword is `all`, in small letters and without quotes"
    }
}
