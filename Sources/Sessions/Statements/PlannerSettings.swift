import Synchronization

/// The startup parameters of a client that change what the same SQL text means or how it is planned. Statements are
/// shared only among clients for which they are equal.
///
/// Immutable. Clients with equal values usually get the same object, so that comparing is one look at the pointers.
package final class PlannerSettings: Sendable {
    /// The number of each name that was given, and its value byte for byte, in lower case where case means nothing.
    private let content: [UInt8]
    let hash: UInt64

    private init(content: [UInt8]) {
        self.content = content
        self.hash = TextHash.keyed.code(content.span)
    }

    private struct Setting: Sendable {
        let name: String
        /// PostgreSQL reads the value without regard to ASCII case.
        var ignoresCase = false
    }

    private static let settings = [
        Setting(name: "search_path"), Setting(name: "role"), Setting(name: "default_transaction_isolation"),
        Setting(name: "default_transaction_read_only"), Setting(name: "default_text_search_config"),
        // How constants in the text are read. That happens once, when a statement is prepared.
        Setting(name: "timezone", ignoresCase: true), Setting(name: "datestyle", ignoresCase: true),
        Setting(name: "intervalstyle", ignoresCase: true), Setting(name: "client_encoding", ignoresCase: true),
        Setting(name: "standard_conforming_strings", ignoresCase: true), Setting(name: "timezone_abbreviations"),
        Setting(name: "lc_monetary"), Setting(name: "array_nulls"), Setting(name: "backslash_quote"),
        Setting(name: "transform_null_equals"), Setting(name: "xmloption"),
        // How values are written that a plan holds as text.
        Setting(name: "bytea_output", ignoresCase: true), Setting(name: "extra_float_digits"),
    ]

    /// Objects given out, for the next client with the same values. Emptied when full: clients decide what they ask
    /// for. Those in use stay alive, and equal to newer ones.
    private static let shared = Mutex<[[UInt8]: PlannerSettings]>([:])
    private static let maximumShared = 256

    /// Nil when none of the settings is given.
    static func of(_ entries: [SessionParameters.Entry]) -> PlannerSettings? {
        var content: [UInt8] = []
        for (number, setting) in self.settings.enumerated() {
            guard let value = entries.first(where: { self.isName($0.name, setting.name) })?.value else { continue }
            // Number and zero byte keep the values apart: a value has no zero byte.
            content.append(UInt8(truncatingIfNeeded: number))
            if setting.ignoresCase {
                for byte in value.utf8 { content.append(SQLName.fold(byte)) }
            } else {
                content.append(contentsOf: value.utf8)
            }
            content.append(0)
        }
        if content.isEmpty { return nil }
        return self.shared.withLock { shared in
            if let settings = shared[content] { return settings }
            if shared.count >= self.maximumShared { shared.removeAll() }
            let settings = PlannerSettings(content: content)
            shared[content] = settings
            return settings
        }
    }

    /// Names of settings ignore ASCII case.
    private static func isName(_ given: String, _ name: String) -> Bool {
        given.utf8.elementsEqual(name.utf8) { SQLName.fold($0) == $1 }
    }

    /// Both nil, or the same values.
    package static func equal(_ one: PlannerSettings?, _ other: PlannerSettings?) -> Bool {
        if one === other { return true }
        guard let one, let other else { return false }
        return one.hash == other.hash && one.content == other.content
    }
}
