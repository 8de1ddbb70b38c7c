import PGWire

/// A regular expression of a rule or an identity map: PostgreSQL's advanced syntax, compiled when the file is loaded.
///
/// Names come from peers who have not proved anything yet, so matching never tries alternatives one after the other: it
/// takes time in proportion to the length of the name, whatever the name and the expression are. As in PostgreSQL's
/// rule files, character classes and case hold for ASCII only, and an expression matches anywhere in the name unless it
/// is anchored.
package struct HBARegex: Sendable {
    /// The expression as it is written, without the slash that introduces it.
    package let pattern: String

    private let program: RegexProgram
    private let capture: Capture?

    /// What finding the first group needs.
    private struct Capture: Sendable {
        let backward: RegexProgram
        let prefersShort: Bool
        let dissection: RegexDissection
    }

    /// Whether there is a group `\1` can name; false unless asked for.
    var hasGroup: Bool { self.capture != nil }

    /// - Parameter captures: whether ``firstGroup(in:)`` will be asked.
    /// - Throws: an expression that is wrong, too large, or uses what is not supported.
    init(_ pattern: String, captures: Bool = false) throws(RegexError) {
        self.pattern = pattern
        var parser = RegexParser(pattern)
        let node = try parser.parse()
        self.program = try RegexProgram(node, .forward)
        guard captures, node.containsFirstGroup else {
            self.capture = nil
            return
        }
        self.capture = Capture(
            backward: try RegexProgram(node, .backward),
            prefersShort: node.preference.contains(.shorter),
            dissection: try RegexDissection(node)
        )
    }

    /// Whether the expression matches anywhere in the text.
    func matches(_ text: String) -> Bool {
        let scalars = text.unicodeScalars.map(\.value)
        var machine = RegexMachine(self.program, text: scalars)
        var isMatch = false
        machine.run(from: 0, to: scalars.count, entersAnywhere: true) { _ in
            isMatch = true
            return false
        }
        return isMatch
    }

    /// What the first group matched; `nil` when the expression does not match, or matches without the group.
    func firstGroup(in text: String) -> String? {
        let scalars = text.unicodeScalars.map(\.value)
        guard let capture = self.capture, let match = self.match(capture, scalars),
            let group = capture.dissection.group(in: match, of: scalars)
        else { return nil }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars[group].compactMap { Unicode.Scalar($0) })
        return String(result)
    }

    /// The whole match: the leftmost one, as long or as short as the expression prefers.
    private func match(_ capture: Capture, _ scalars: [UInt32]) -> Range<Int>? {
        var start: Int?
        var backward = RegexMachine(capture.backward, text: scalars)
        backward.run(from: scalars.count, to: 0, entersAnywhere: true) { position in
            start = position
            return true
        }
        guard let start else { return nil }
        var end = start
        var forward = RegexMachine(self.program, text: scalars)
        forward.run(from: start, to: scalars.count, entersAnywhere: false) { position in
            end = position
            return !capture.prefersShort
        }
        return start..<end
    }
}

extension HBARegex: Hashable {
    package static func == (left: HBARegex, right: HBARegex) -> Bool {
        left.pattern.hasSameBytes(as: right.pattern)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.pattern)
    }
}
