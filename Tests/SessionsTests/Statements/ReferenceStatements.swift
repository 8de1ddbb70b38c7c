import Sessions

/// The traits of a text, found in the finished token lists of its statements.
struct ReferenceStatements: Equatable {
    var traits: StatementTraits = []
    var deallocated: [[UInt8]] = []
    var statementCount = 0

    init(_ scan: SQLScan) {
        self.traits = scan.traits
        self.deallocated = scan.deallocated
        self.statementCount = scan.statementCount
    }

    init(_ text: [UInt8], standardConformingStrings: Bool = true) {
        let sql = ReferenceSQL(text, standardConformingStrings: standardConformingStrings)
        var plainBegins = 0
        for whole in Self.split(sql.tokens, isUnfinished: sql.isUnfinished) {
            let isAtomic = whole.count > 1
            if whole.contains(where: { !$0.isEmpty }) { self.statementCount += 1 }
            for part in whole {
                // A part of an unfinished text's last statement is followed by something unknown.
                if !isAtomic, Self.isPlainBegin(part) { plainBegins += 1 }
                self.read(part)
            }
        }
        for (index, token) in sql.tokens.enumerated() {
            switch token {
            case .word(let name): self.mention(name)
            case .quoted(let name): self.mention(String(decoding: name.map(ReferenceSQL.lower), as: UTF8.self))
            default: break
            }
            if Self.isIntoTemporary(sql.tokens, index) { self.traits.insert(.temporary) }
        }
        if sql.isUnfinished { self.traits.insert(.unfinished) }
        if self.statementCount > 1 { self.traits.insert(.multiple) }
        if self.statementCount == 1, plainBegins == 1 { self.traits.insert(.begin) }
    }

    /// Statements, each cut at the semicolons within `BEGIN ATOMIC`.
    private static func split(_ tokens: [ReferenceSQL.Token], isUnfinished: Bool) -> [[[ReferenceSQL.Token]]] {
        var statements: [[[ReferenceSQL.Token]]] = [[[]]]
        var depth = 0
        var isAtomic = false
        // What an unfinished quote would have been.
        for token in tokens + (isUnfinished ? [.sign("?")] : []) {
            if token == .sign("("), depth >= 0 { depth += 1 }
            if token == .sign(")"), depth > 0 { depth -= 1 }
            let last = statements.count - 1
            let part = statements[last].count - 1
            if token == .sign(";"), depth == 0 {
                if isAtomic { statements[last].append([]) } else { statements.append([[]]) }
                continue
            }
            if isAtomic, depth == 0, statements[last][part].isEmpty, token == .word("end") { isAtomic = false }
            statements[last][part].append(token)
            if depth == 0, Self.opensBody(Self.flat(statements[last][part])) {
                isAtomic = true
                statements[last].append([])
            }
        }
        return statements
    }

    /// Parentheses and what is in them as one sign.
    private static func flat(_ tokens: [ReferenceSQL.Token]) -> [ReferenceSQL.Token] {
        var out: [ReferenceSQL.Token] = []
        var depth = 0
        for token in tokens {
            if token == .sign(")"), depth > 0 {
                depth -= 1
            } else if token == .sign("(") {
                if depth == 0 { out.append(token) }
                depth += 1
            } else if depth == 0 {
                out.append(token)
            }
        }
        // Words behind a dot are parts of names.
        return out.indices.map { index in
            index > 0 && out[index - 1] == .sign(".") && out[index].keyword != nil ? .sign("n") : out[index]
        }
    }

    private static func opensBody(_ tokens: [ReferenceSQL.Token]) -> Bool {
        var words = tokens.map { $0.keyword ?? "?" }
        guard words.count > 3, words.suffix(2) == ["begin", "atomic"], words.removeFirst() == "create" else {
            return false
        }
        while let first = words.first, ["or", "replace", "local", "global"].contains(first) { words.removeFirst() }
        return words.first == "function" || words.first == "procedure"
    }

    private static func isPlainBegin(_ tokens: [ReferenceSQL.Token]) -> Bool {
        let forms: [[String]] = [
            ["begin"], ["begin", "work"], ["begin", "transaction"], ["start", "transaction"],
        ]
        return forms.contains(tokens.map { $0.keyword ?? "?" })
    }

    private static func isIntoTemporary(_ tokens: [ReferenceSQL.Token], _ index: Int) -> Bool {
        guard tokens[index] == .word("into") else { return false }
        if index > 0, [.sign("."), .word("insert"), .word("merge")].contains(tokens[index - 1]) {
            // `x.insert into` is an INTO all the same.
            guard tokens[index - 1] != .sign("."), index > 1, tokens[index - 2] == .sign(".") else { return false }
        }
        var next = index + 1
        while next < tokens.count, tokens[next] == .word("local") || tokens[next] == .word("global") { next += 1 }
        return next < tokens.count && [.word("temp"), .word("temporary")].contains(tokens[next])
    }

    private mutating func mention(_ name: String) {
        switch name {
        case "set_config": self.traits.insert(.setConfig)
        case "pg_temp": self.traits.insert(.temporary)
        case "pg_advisory_lock", "pg_try_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock_shared":
            self.traits.insert(.advisoryLock)
        default: if name.count > 8, name.hasPrefix("pg_temp_") { self.traits.insert(.temporary) }
        }
    }

    private mutating func read(_ part: [ReferenceSQL.Token]) {
        var tokens = Self.flat(part)
        if tokens.first == .word("explain") {
            tokens.removeFirst()
            while let first = tokens.first,
                [.sign("("), .word("analyze"), .word("analyse"), .word("verbose")].contains(first)
            { tokens.removeFirst() }
            if tokens.first == .word("explain") { return self.read(tokens) }
        }
        guard let head = tokens.first?.keyword else { return }
        let second = tokens.dropFirst().first
        switch head {
        case "copy": self.traits.insert(.copy)
        case "execute": self.traits.insert(.execute)
        case "reset": self.traits.insert(.reset)
        case "discard": if second == .word("all") { self.traits.insert(.discardAll) }
        case "deallocate": self.readDeallocate(Array(tokens.dropFirst()))
        case "prepare": self.readPrepare(Array(tokens.dropFirst()))
        case "create": self.readCreate(Array(tokens.dropFirst()))
        default: break
        }
    }

    private mutating func readDeallocate(_ tokens: [ReferenceSQL.Token]) {
        switch tokens.first {
        case .word("all"): self.traits.insert(.deallocateAll)
        case .word("prepare"):
            if tokens.count == 1 { self.deallocate(Array("prepare".utf8)) }
            if tokens.dropFirst().first == .word("all") { return self.traits.formUnion(.deallocateAll) }
            if tokens.dropFirst().first == .word("prepare") { return self.deallocate(Array("prepare".utf8)) }
            if tokens.count > 1 { self.readDeallocate(Array(tokens.dropFirst())) }
        case .word(let name): self.deallocate(Array(name.utf8))
        case .quoted(let name): if !name.isEmpty { self.deallocate(name) }
        case .unicode: self.traits.formUnion([.deallocate, .unreadableName])
        default: break
        }
    }

    private mutating func deallocate(_ name: [UInt8]) {
        self.traits.insert(.deallocate)
        self.deallocated.append(name)
    }

    private mutating func readPrepare(_ tokens: [ReferenceSQL.Token]) {
        switch tokens.first {
        case .word("transaction"):
            guard tokens.count > 1 else { return }
            if tokens[1].keyword != nil || tokens[1] == .sign("(") { self.traits.insert(.prepare) }
        case .word, .quoted, .unicode: self.traits.insert(.prepare)
        default: break
        }
    }

    private mutating func readCreate(_ tokens: [ReferenceSQL.Token]) {
        let words = Array(tokens.map { $0.keyword ?? "?" }.drop { ["or", "replace", "local", "global"].contains($0) })
        guard let object = words.first else { return }
        if object == "temp" || object == "temporary" { self.traits.insert(.temporary) }
        if object == "function" || object == "procedure" || object == "?" { return }
        guard let firstAs = words.dropFirst().firstIndex(of: "as") else { return }
        if words.dropFirst(firstAs + 1).first == "execute" { self.traits.insert(.execute) }
    }
}
