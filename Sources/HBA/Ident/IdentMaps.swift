import PGWire

/// The identity maps of a pg_ident file: who may log in as which database user after proving, by certificate, operating
/// system or token, to be somebody by another name. A map lets in if one of its lines does.
///
/// Immutable; a snapshot any thread may ask.
package struct IdentMaps: Sendable {
    package static let empty = IdentMaps(lines: [])

    /// In the order of the files.
    let lines: [IdentLine]

    init(lines: [IdentLine]) {
        self.lines = lines
    }

    /// How many lines all maps have together.
    package var count: Int { self.lines.count }

    /// Reads a file of maps and the files it includes.
    ///
    /// - Throws: everything that is wrong with the files at once; there are no maps then.
    package static func load(path: String, reader: HBAFileReader) throws(HBAErrors) -> IdentMaps {
        try Self.read(reader) { walker in walker.walk(path: path) }
    }

    /// Reads a text of maps.
    ///
    /// - Parameters:
    ///   - text: at most ``HBAPolicy/maximumTextSize`` bytes.
    ///   - file: the name that errors carry; included files with relative names are looked for in its folder.
    ///   - reader: without one nothing can be included.
    /// - Throws: everything that is wrong with the text at once; there are no maps then.
    package static func parse(
        text: String,
        file: String,
        reader: HBAFileReader? = nil
    ) throws(HBAErrors) -> IdentMaps {
        try Self.read(reader) { walker in walker.walk(bytes: Array(text.utf8), file: file) }
    }

    private static func read(
        _ reader: HBAFileReader?,
        _ walk: (inout HBAFileWalker) -> Void
    ) throws(HBAErrors) -> IdentMaps {
        var lines: [IdentLine] = []
        var errors = HBAErrors()
        do {
            var walker = HBAFileWalker(reader: reader, listColumns: 0..<0) { line, errors in
                guard lines.count < HBAPolicy.maximumRules else {
                    errors.append(line.fields[0].first.error("more than \(HBAPolicy.maximumRules) lines"))
                    return
                }
                var parser = IdentLineParser(line: line)
                if let line = parser.parse() { lines.append(line) }
                for error in parser.errors { errors.append(error) }
            }
            walk(&walker)
            errors = walker.errors
        }
        guard errors.isEmpty else { throw errors }
        return IdentMaps(lines: lines)
    }

    /// Whether there is a map of this name.
    package func contains(map: String) -> Bool {
        self.lines.contains { $0.map.hasSameBytes(as: map) }
    }

    /// Whether the map lets somebody in as a database user.
    ///
    /// - Parameters:
    ///   - map: a map that does not exist lets in nobody.
    ///   - systemUser: the name that was proved.
    ///   - databaseUser: the user of the startup packet.
    ///   - facts: of this the roles of the database user.
    package func check(
        map: String,
        systemUser: String,
        databaseUser: String,
        facts: HBAFacts = .none
    ) -> IdentFinding {
        // Lines only ever let in: one that needs a fact is not asked for as long as another may do without.
        var open = HBACondition.no
        search: for line in self.lines where line.map.hasSameBytes(as: map) {
            switch line.condition(systemUser: systemUser, databaseUser: databaseUser, facts) {
            case .no: continue
            case .refused: break search
            case .yes: return .admitted(file: line.file, line: line.line)
            case .open(let condition): open = open.or(condition)
            }
        }
        switch open {
        case .yes, .no: return .refused
        case .needs(let need): return .needs(need)
        case .unavailable(let need, let reason): return .undecidable(reason: "\(need): \(reason)")
        }
    }
}

/// What the maps say.
package enum IdentFinding: Sendable, Hashable {
    /// By this line.
    case admitted(file: String, line: Int)
    case refused
    /// Ask again with this fact.
    case needs(HBANeed)
    /// A line depends on a fact that cannot be had: refused.
    case undecidable(reason: String)
}
