/// The method word of one hba rule and the `name=value` options behind it. Immutable.
public struct MethodOptions: Sendable {
    /// The word that led to the provider; tells a provider with several methods which one is meant.
    public let method: String
    /// In the order of the rule; every name once.
    public let entries: [(name: String, value: String)]

    /// Where relative paths in the options begin: the folder of the file that the rule stands in, with a `/` at its
    /// end. Empty for the folder that the process runs in.
    public let folder: String

    /// Throws when a name stands twice.
    public init(
        method: String,
        entries: [(name: String, value: String)] = [],
        folder: String = ""
    ) throws(AuthConfigurationError) {
        for (index, entry) in entries.enumerated() {
            guard !entries[..<index].contains(where: { earlier in earlier.name == entry.name }) else {
                throw .duplicateOption(method: method, name: entry.name)
            }
        }
        self.method = method
        self.entries = entries
        self.folder = folder
    }

    /// A path that an option names, with ``folder`` in front of a relative one.
    public func resolve(path: String) -> String {
        path.isEmpty || path.hasPrefix("/") ? path : self.folder + path
    }

    /// Refuses every option that is not listed; a provider calls this first, so that a misspelled option is an error.
    public func allowOnly(_ names: String...) throws(AuthConfigurationError) {
        for entry in self.entries where !names.contains(entry.name) {
            throw .unknownOption(method: self.method, name: entry.name)
        }
    }

    /// nil when the rule does not give it.
    public func value(_ name: String) -> String? {
        self.entries.first { entry in entry.name == name }?.value
    }

    /// Throws when the rule does not give it.
    public func required(_ name: String) throws(AuthConfigurationError) -> String {
        guard let value = self.value(name) else { throw .missingOption(method: self.method, name: name) }
        return value
    }

    /// An option that is `1`, `on`, `true`, `yes` or `0`, `off`, `false`, `no`; nil when absent.
    public func flag(_ name: String) throws(AuthConfigurationError) -> Bool? {
        guard let value = self.value(name) else { return nil }
        switch value.lowercased() {
        case "1", "on", "true", "yes": return true
        case "0", "off", "false", "no": return false
        default: throw .invalidOption(method: self.method, name: name, reason: "not a Boolean value")
        }
    }
}
