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
        for piece in pieces {
            let whole = prefix.union(piece.pieceFlags)
            if whole.upward.isMessy {
                sections.append((prefix, piece.itemPreference))
                prefix = []
            } else {
                prefix = whole
            }
        }
        return sections.reversed().reduce(prefix) { rest, section in
            section.prefix.combined(section.messy.combined(rest))
        }
    }

    /// Whether a run of pieces has one preference and no group, so that it is matched as a whole.
    static func isPlain(_ pieces: ArraySlice<RegexNode>) -> Bool {
        !pieces.reduce(RegexPreference()) { $0.union($1.pieceFlags) }.upward.isMessy
    }

    /// What a piece repeats; itself when it repeats nothing.
    var atom: RegexNode {
        if case .repetition(let inner, _) = self { inner } else { self }
    }

    /// Whether the piece repeats exactly once, so that the quantifier says nothing.
    var isVacuous: Bool {
        guard case .repetition(let inner, let quantifier) = self else { return true }
        let own = inner.preference.intersection([.longer, .shorter, .mixed])
        return quantifier.minimum == 1 && quantifier.maximum == 1
            && (quantifier.flags.isEmpty || own.isEmpty || own == quantifier.flags)
    }

    /// The preference of a piece that is divided from its neighbours.
    var itemPreference: RegexPreference {
        guard case .repetition(let inner, let quantifier) = self, !self.isVacuous else { return self.atom.preference }
        return quantifier.isNever ? [] : quantifier.flags.combined(inner.preference)
    }

    private var pieceFlags: RegexPreference {
        guard case .repetition(let inner, let quantifier) = self else { return self.preference }
        return quantifier.isNever ? [] : quantifier.flags.union(inner.preference)
    }
}
