import PGWire

extension HBAPolicy {
    /// Whether the other has the same rules in the same places, whatever stands between them. Byte for byte, and with
    /// the values that descriptions leave out.
    package func isSame(as other: HBAPolicy) -> Bool {
        self.rules.count == other.rules.count
            && zip(self.rules, other.rules).allSatisfy { own, its in
                own.line == its.line && own.file.hasSameBytes(as: its.file)
                    && own.description.hasSameBytes(as: its.description) && own.hasSameOptions(as: its)
            }
    }
}

extension HBARule {
    fileprivate func hasSameOptions(as other: HBARule) -> Bool {
        self.options.count == other.options.count
            && zip(self.options, other.options).allSatisfy { own, its in
                own.name.hasSameBytes(as: its.name) && own.value.hasSameBytes(as: its.value)
            }
    }
}
