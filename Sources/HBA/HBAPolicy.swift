/// A whole policy: the rules of one text, in order. The first rule that matches decides; without one the client is
/// refused.
///
/// Immutable; a snapshot any thread may ask.
package struct HBAPolicy: Sendable {
    /// The longest text that is read, in bytes.
    package static let maximumTextSize = 1 << 20

    package let rules: [HBARule]

    init(rules: [HBARule]) {
        self.rules = rules
    }

    /// Reads a policy text. A text without rules is a policy that refuses everybody.
    ///
    /// - Parameters:
    ///   - text: at most ``maximumTextSize`` bytes; line ends LF or CR LF; a byte order mark is skipped.
    ///   - file: the name that errors and rules carry.
    ///   - methods: the words the method column may hold; `reject` is always among them.
    /// - Throws: everything that is wrong with the text at once; there is no policy then.
    package static func parse(text: String, file: String, methods: Set<String>) throws(HBAErrors) -> HBAPolicy {
        guard text.utf8.count <= Self.maximumTextSize else {
            throw HBAErrors(
                HBAError(
                    file: file,
                    line: 0,
                    column: 0,
                    reason: "the text is longer than \(Self.maximumTextSize) bytes"
                )
            )
        }
        var lexer = HBALexer(bytes: Array(text.utf8), file: file)
        lexer.run()
        let words = methods.union([HBARule.rejectMethod])
        var errors = HBAErrors()
        var rules: [HBARule] = []
        for line in lexer.lines {
            var parser = HBARuleParser(line: line, file: file, methods: words)
            if let rule = parser.parse(index: rules.count + 1) {
                rules.append(rule)
            }
            for error in parser.errors {
                errors.append(error)
            }
        }
        errors.merge(lexer.errors)
        guard errors.isEmpty else { throw errors }
        return HBAPolicy(rules: rules)
    }

    /// Where among `rules` the first one stands that matches; `nil` when none does.
    package func decidingOffset(_ question: HBAQuestion) -> Int? {
        var offset = 0
        while offset < self.rules.count {
            if self.rules[offset].mismatch(question) == nil { return offset }
            offset += 1
        }
        return nil
    }

    /// The first rule that matches decides.
    package func decide(_ question: HBAQuestion) -> HBADecision {
        guard let offset = self.decidingOffset(question) else { return HBADecision(.noMatch) }
        let rule = self.rules[offset]
        return HBADecision(rule.isReject ? .reject(rule) : .method(rule))
    }
}
