/// Simple queries, function calls, COPY, and what commands do.
extension FakeBackend {
    mutating func query(_ body: [UInt8]) {
        guard body.last == 0 else {
            self.fail(.malformed)
            self.endImplicitTransaction()
            self.ready()
            return
        }
        self.statements[[]] = nil
        let text = Self.string(Array(body.dropLast()))
        guard let commands = FakeCommand.split(text) else {
            self.fail(Failure("42601", "syntax error in \"\(text)\""))
            self.endImplicitTransaction()
            self.ready()
            return
        }
        if commands.isEmpty { self.answer("I") }
        for command in commands {
            do throws(Failure) {
                try self.checkAborted(command)
                self.portals[[]] = nil
                if command.isCopy {
                    // Always the last one: the rest of the text would have to wait.
                    self.beginCopy(command, isExtended: false)
                    return
                }
                if command == .discardAll, commands.count > 1 { throw Self.inBlock }
                try self.runSimply(command)
            } catch {
                self.fail(error)
                break
            }
        }
        self.endImplicitTransaction()
        self.ready()
    }

    private mutating func runSimply(_ command: FakeCommand) throws(Failure) {
        switch command {
        case .missingTable: throw Failure("42P01", "relation \"missing\" does not exist")
        case .divideByZero: throw Failure("22012", "division by zero")
        case .echo: throw Failure("42P02", "there is no parameter $1")
        case .rows(let count):
            self.answer("T", [0, 1] + Array("rows".utf8) + [0] + Array(repeating: 0, count: 18))
            for number in 0..<count { self.output += Self.row(Array("\(number)".utf8)) }
            self.complete("SELECT \(count)")
        case .place:
            self.output += Self.row(Array(self.path.utf8))
            self.complete("SELECT 1")
        default: try self.run(command)
        }
    }

    mutating func functionCall(_ body: [UInt8]) {
        if self.isFailed {
            self.fail(.aborted)
        } else if body.isEmpty {
            self.fail(.malformed)
        } else {
            self.answer("V", [0, 0, 0, 1, 0x37])
        }
        self.endImplicitTransaction()
        self.ready()
    }

    private static let inBlock = Failure("25001", "DISCARD ALL cannot run inside a transaction block")

    /// Commands without rows.
    mutating func run(_ command: FakeCommand) throws(Failure) {
        switch command {
        case .begin:
            if self.isInBlock { self.notice("there is already a transaction in progress") }
            self.isInBlock = true
            self.complete("BEGIN")
        case .commit, .rollback:
            if !self.isInBlock { self.notice("there is no transaction in progress") }
            self.complete(command == .commit && !self.isFailed ? "COMMIT" : "ROLLBACK")
            self.isInBlock = false
            self.isFailed = false
            self.portals.removeAll()
        case .deallocate(let name):
            guard self.statements[name] != nil else {
                throw Failure("26000", "prepared statement \"\(Self.string(name))\" does not exist")
            }
            self.statements[name] = nil
            self.complete("DEALLOCATE")
        case .deallocateAll:
            self.dropNamed()
            self.complete("DEALLOCATE ALL")
        case .discardAll:
            if self.isInBlock { throw Self.inBlock }
            self.dropNamed()
            self.portals.removeAll()
            self.complete("DISCARD ALL")
        default: self.complete("UPDATE 0")
        }
    }

    /// `DropAllPreparedStatements` knows nothing of the unnamed one.
    private mutating func dropNamed() { self.statements = self.statements.filter { $0.key.isEmpty } }

    // MARK: COPY

    mutating func beginCopy(_ command: FakeCommand, isExtended: Bool) {
        self.answer("G", [0, 0, 0])
        self.flush()
        let copy = Copy(command: command, isExtended: isExtended)
        self.copy = copy
        if command == .copyTrapped(0) { self.endCopy(copy, Self.trapped) }
    }

    private static let trapped = Failure("P0001", "trapped")

    /// Within COPY, Flush and Sync mean nothing.
    mutating func copyMessage(_ kind: UInt8, _ body: [UInt8]) {
        guard var copy = self.copy else { return }
        switch kind {
        case UInt8(ascii: "c"): self.endCopy(copy, copy.command == .copyLate ? Self.trapped : nil)
        case UInt8(ascii: "f"): self.endCopy(copy, Failure("57014", "COPY from stdin failed"))
        case UInt8(ascii: "H"): return
        case UInt8(ascii: "d"), UInt8(ascii: "S"):
            copy.read += 1
            if kind == UInt8(ascii: "d") { copy.rows += 1 }
            self.copy = copy
            if copy.command == .copyTrapped(copy.read) { return self.endCopy(copy, Self.trapped) }
            if body.starts(with: "bad".utf8) { self.endCopy(copy, Failure("22P02", "bad row")) }
        default:
            self.copy = nil
            self.die(of: Failure("08P01", "unexpected message type within COPY", routine: "CopyGetData"))
        }
    }

    private mutating func endCopy(_ copy: Copy, _ failure: Failure?) {
        self.copy = nil
        if let failure {
            self.fail(failure)
            if copy.isExtended { self.isSkipping = true }
        } else {
            self.complete("COPY \(copy.rows)")
        }
        if copy.isExtended { return }
        self.endImplicitTransaction()
        self.ready()
    }
}
