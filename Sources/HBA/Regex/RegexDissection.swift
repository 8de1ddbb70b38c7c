/// Finds what the first group of an expression matched, once the whole match is known: the expression is divided from
/// left to right, each part taking as much or as little as it prefers and the rest allows. That is how PostgreSQL's
/// engine divides (it tries, this one asks two machines which divisions exist), so the group is the same.
indirect enum RegexDissection: Sendable {
    /// The first group is not inside.
    case none
    case group
    /// Two parts one after the other; one of them holds the group.
    case pair(Pair)
    /// The first branch that matches the whole.
    case choice([(program: RegexProgram, part: RegexDissection)])

    struct Pair: Sendable {
        let left: RegexDissection
        let right: RegexDissection
        let leftProgram: RegexProgram
        /// Runs backward.
        let rightProgram: RegexProgram
        let prefersShort: Bool
    }

    /// - Throws: when the group stands in a part that is repeated from zero times on, but for a plain `?`: which round
    ///   counts would take time in proportion to the square of the text to find out.
    init(_ node: RegexNode) throws(RegexError) {
        guard node.containsFirstGroup else {
            self = .none
            return
        }
        switch node {
        case .empty, .set, .assertion: self = .none
        case .group(let inner, let isFirst): self = isFirst ? .group : try RegexDissection(inner)
        case .concatenation(let pieces): self = try Self.branch(pieces[...])
        case .repetition: self = try Self.branch([node])
        case .alternation(let branches):
            var choices: [(program: RegexProgram, part: RegexDissection)] = []
            for branch in branches {
                choices.append((try RegexProgram(branch, .forward), try RegexDissection(branch)))
            }
            self = .choice(choices)
        }
    }

    /// A run of plain pieces, the messy one behind it, and the rest.
    private static func branch(_ pieces: ArraySlice<RegexNode>) throws(RegexError) -> RegexDissection {
        guard pieces.contains(where: { $0.containsFirstGroup }) else { return .none }
        let messy = pieces.startIndex + RegexNode.plainCount(pieces)
        guard messy < pieces.endIndex else { return .none }
        let plain = pieces[..<messy]
        let item = pieces[messy]
        let rest = pieces[(messy + 1)...]
        let tail = try Self.pair(
            (item, try Self.item(item), item.asPiece.alone.contains(.shorter)),
            (.concatenation(Array(rest)), try Self.branch(rest))
        )
        let prefersShort = RegexNode.preference(of: plain).contains(.shorter)
        return try Self.pair(
            (.concatenation(Array(plain)), .none, prefersShort),
            (.concatenation([item] + rest), tail)
        )
    }

    private static func pair(
        _ left: (node: RegexNode, part: RegexDissection, prefersShort: Bool),
        _ right: (node: RegexNode, part: RegexDissection)
    ) throws(RegexError) -> RegexDissection {
        .pair(
            Pair(
                left: left.part,
                right: right.part,
                leftProgram: try RegexProgram(left.node, .forward),
                rightProgram: try RegexProgram(right.node, .backward),
                prefersShort: left.prefersShort
            )
        )
    }

    /// A piece that may be repeated. Of many rounds the last one counts, and the rounds before take what they prefer.
    private static func item(_ piece: RegexNode) throws(RegexError) -> RegexDissection {
        let flags = piece.asPiece
        guard piece.containsFirstGroup, case .repetition(let inner, let quantifier) = piece, !flags.isVacuous else {
            return try RegexDissection(piece.atom)
        }
        if quantifier.isNever { return .none }
        if quantifier.minimum > 0 {
            let before = RegexQuantifier(
                minimum: quantifier.minimum - 1,
                maximum: quantifier.maximum.map { $0 - 1 },
                preference: quantifier.preference
            )
            return try Self.pair(
                (.repetition(inner, before), .none, flags.alone.contains(.shorter)),
                (inner, try RegexDissection(inner))
            )
        }
        guard quantifier.maximum == 1, quantifier.preference == .longer else {
            throw RegexError(reason: "\\1 cannot name a group that is repeated from zero times on", offset: 0)
        }
        // Once, even over nothing, before not at all.
        return .choice([
            (try RegexProgram(inner, .forward), try RegexDissection(inner)),
            (try RegexProgram(.empty, .forward), .none),
        ])
    }
}

extension RegexDissection {
    /// What the first group matched in a part of the text that the whole matches; `nil` when it took no part.
    ///
    /// Takes time in proportion to the part times the instructions of all programs.
    func group(in part: Range<Int>, of text: [UInt32]) -> Range<Int>? {
        switch self {
        case .none: return nil
        case .group: return part
        case .choice(let branches):
            for branch in branches where Self.matches(branch.program, part, text) {
                return branch.part.group(in: part, of: text)
            }
            return nil
        case .pair(let pair):
            guard let middle = pair.division(of: part, text) else { return nil }
            return pair.left.group(in: part.lowerBound..<middle, of: text)
                ?? pair.right.group(in: middle..<part.upperBound, of: text)
        }
    }

    private static func matches(_ program: RegexProgram, _ part: Range<Int>, _ text: [UInt32]) -> Bool {
        var machine = RegexMachine(program, text: text)
        var isMatch = false
        machine.run(from: part.lowerBound, to: part.upperBound, entersAnywhere: false) { position in
            isMatch = position == part.upperBound
            return true
        }
        return isMatch
    }
}

extension RegexDissection.Pair {
    /// Where the left part ends and the right one begins.
    fileprivate func division(of part: Range<Int>, _ text: [UInt32]) -> Int? {
        var rightFits = [Bool](repeating: false, count: part.count + 1)
        var backward = RegexMachine(self.rightProgram, text: text)
        backward.run(from: part.upperBound, to: part.lowerBound, entersAnywhere: false) { position in
            rightFits[position - part.lowerBound] = true
            return true
        }
        var found: Int?
        var forward = RegexMachine(self.leftProgram, text: text)
        forward.run(from: part.lowerBound, to: part.upperBound, entersAnywhere: false) { position in
            guard rightFits[position - part.lowerBound] else { return true }
            found = position
            return !self.prefersShort
        }
        return found
    }
}
