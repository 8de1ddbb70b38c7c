/// Whether a part of an expression prefers long or short matches, and whether that is decided part by part: the rules
/// of PostgreSQL's documentation, section 9.7.3.5, in the form its engine works by.
struct RegexPreference: OptionSet, Sendable {
    let rawValue: UInt8

    static let longer = RegexPreference(rawValue: 1)
    static let shorter = RegexPreference(rawValue: 2)
    /// Both kinds inside.
    static let mixed = RegexPreference(rawValue: 4)
    /// A capturing group inside.
    static let captures = RegexPreference(rawValue: 8)

    /// Whether the part must be looked into instead of being matched as a whole.
    var isMessy: Bool { !self.isDisjoint(with: [.mixed, .captures]) }

    /// What a surrounding part takes over.
    var upward: RegexPreference {
        let isMixed = self.isSuperset(of: [.longer, .shorter])
        return self.intersection([.mixed, .captures]).union(isMixed ? .mixed : [])
    }

    /// The first part with a preference decides for both.
    func combined(_ other: RegexPreference) -> RegexPreference {
        let kinds: RegexPreference = [.longer, .shorter]
        let own = self.intersection(kinds)
        return self.union(other).upward.union(own.isEmpty ? other.intersection(kinds) : own)
    }
}

extension RegexQuantifier {
    var flags: RegexPreference {
        switch self.preference {
        case .longer: .longer
        case .shorter: .shorter
        case .inherited: []
        }
    }

    var isNever: Bool { self.maximum == 0 }
}

extension RegexNode {
    /// Looks at every node inside once.
    var preference: RegexPreference {
        switch self {
        case .empty, .set, .assertion: []
        case .group(let inner, _): inner.preference.union(.captures)
        case .alternation(let branches):
            branches.reduce(RegexPreference.longer) { $0.union($0.union($1.preference).upward) }
        case .concatenation(let pieces): Self.preference(of: pieces[...])
        case .repetition: Self.preference(of: [self])
        }
    }

    /// The pieces of a branch: runs of plain ones, each ended by a messy one.
    static func preference(of pieces: ArraySlice<RegexNode>) -> RegexPreference {
        var sections: [(prefix: RegexPreference, messy: RegexPreference)] = []
        var prefix: RegexPreference = []
        for node in pieces {
            let piece = node.asPiece
            let whole = prefix.union(piece.inRun)
            if whole.upward.isMessy {
                sections.append((prefix, piece.alone))
                prefix = []
            } else {
                prefix = whole
            }
        }
        return sections.reversed().reduce(prefix) { rest, section in
            section.prefix.combined(section.messy.combined(rest))
        }
    }

    /// How many pieces from the first one on have one preference and no group, so that they are matched as a whole.
    static func plainCount(_ pieces: ArraySlice<RegexNode>) -> Int {
        var run: RegexPreference = []
        var count = 0
        for piece in pieces {
            run.formUnion(piece.asPiece.inRun)
            guard !run.upward.isMessy else { break }
            count += 1
        }
        return count
    }

    /// What a piece repeats; itself when it repeats nothing.
    var atom: RegexNode {
        if case .repetition(let inner, _) = self { inner } else { self }
    }

    /// The node as a piece of a branch. All that is to be known of it comes from one look inside: a second one at each
    /// level would make the looks as many as two to the power of the nesting.
    var asPiece: RegexPiece {
        guard case .repetition(let inner, let quantifier) = self else {
            let own = self.preference
            return RegexPiece(inRun: own, alone: own, isVacuous: true)
        }
        let own = inner.preference
        let isVacuous = quantifier.isVacuous(over: own)
        return RegexPiece(
            inRun: quantifier.isNever ? [] : quantifier.flags.union(own),
            alone: isVacuous ? own : quantifier.isNever ? [] : quantifier.flags.combined(own),
            isVacuous: isVacuous
        )
    }
}

/// What a branch has to know of one of its pieces.
struct RegexPiece: Sendable {
    /// What it adds to a run of pieces.
    let inRun: RegexPreference
    /// Its preference when it is divided from its neighbours.
    let alone: RegexPreference
    /// It has no quantifier, or one that says nothing: exactly once.
    let isVacuous: Bool
}

extension RegexQuantifier {
    /// - Parameter repeated: the preference of what is repeated.
    fileprivate func isVacuous(over repeated: RegexPreference) -> Bool {
        let own = repeated.intersection([.longer, .shorter, .mixed])
        return self.minimum == 1 && self.maximum == 1 && (self.flags.isEmpty || own.isEmpty || own == self.flags)
    }
}
