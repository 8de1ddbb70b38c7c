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

extension IdentMaps {
    /// Whether the other lets in the same users by the same lines in the same order, wherever these stand. Byte for
    /// byte.
    package func isSame(as other: IdentMaps) -> Bool {
        self.lines.count == other.lines.count
            && zip(self.lines, other.lines).allSatisfy { own, its in own.isSame(as: its) }
    }
}

extension IdentLine {
    fileprivate func isSame(as other: IdentLine) -> Bool {
        self.map.hasSameBytes(as: other.map) && self.systemUser.isSame(as: other.systemUser)
            && self.databaseUser.isSame(as: other.databaseUser)
    }
}

extension IdentLine.SystemUser {
    fileprivate func isSame(as other: IdentLine.SystemUser) -> Bool {
        switch (self, other) {
        case (.name(let own), .name(let its)): own.hasSameBytes(as: its)
        case (.pattern(let own), .pattern(let its)): own == its
        default: false
        }
    }
}

extension IdentLine.DatabaseUser {
    fileprivate func isSame(as other: IdentLine.DatabaseUser) -> Bool {
        switch (self, other) {
        case (.all, .all): true
        case (.role(let own), .role(let its)), (.name(let own), .name(let its)): own.hasSameBytes(as: its)
        case (.pattern(let own), .pattern(let its)): own == its
        case (.template(let before, let after), .template(let itsBefore, let itsAfter)):
            before.hasSameBytes(as: itsBefore) && after.hasSameBytes(as: itsAfter)
        default: false
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
