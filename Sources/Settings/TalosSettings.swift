/// Who may log in with Talos tokens. A value.
package struct TalosSettings: Sendable, Equatable {
    /// Files of public keys in PEM.
    package let keys: [String]
    /// Databases that take tokens.
    package let databases: [String]

    init(_ values: SectionValues) {
        self.keys = values.list("keys")
        self.databases = values.list("databases")
    }
}
