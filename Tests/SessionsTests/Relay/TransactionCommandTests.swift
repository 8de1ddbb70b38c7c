import PGWire
import Sessions
import Testing

@Suite struct TransactionCommandTests {
    private func read(_ message: [UInt8], at offset: Int = 0) -> TransactionCommand? {
        guard let header = MessageHeader.read(message.span, at: offset) else {
            Issue.record("no header")
            return nil
        }
        return TransactionCommand(message.span, at: offset, header)
    }

    private func message(_ text: String) -> [UInt8] { frame("Q", bytes(text) + [0]) }

    @Test(arguments: [
        ("begin;", .begin), ("BEGIN", .begin), ("bEgIn;", .begin), ("start transaction;", .startTransaction),
        ("Begin Transaction", .begin), ("begin transaction;", .begin), ("Start Transaction", .startTransaction),
        ("START TRANSACTION;", .startTransaction), ("commit", .commit), ("Commit;", .commit), ("end", .commit),
        ("END;", .commit), ("rollback", .rollback), ("ROLLBACK;", .rollback), ("abort", .rollback),
        ("Abort;", .rollback),
    ] as [(String, TransactionCommand)])
    func plainForms(text: String, command: TransactionCommand) {
        #expect(self.read(self.message(text)) == command)
        #expect(self.read([1, 2, 3] + self.message(text) + [4], at: 3) == command)
        #expect(command.begins == (command == .begin || command == .startTransaction))
    }

    @Test(arguments: [
        "", ";", "begin  transaction", "begin ;", " begin;", "begin; ", "begin;;", "begin;select 1",
        "begin work;", "begin read only;", "start_transaction",
        "begin_transaction", "start  transaction;", "start transaction read only;", "commit work",
        "commit;;", "commit ", "commit and chain", "rollback to a", "rollback;--", "prepare transaction 'x'", "ending",
        "savepoint a", "begin\u{2003}", "bégin;", "Begin:", "BEGIN[", "select 1",
    ])
    func otherQueries(text: String) {
        #expect(self.read(self.message(text)) == nil)
    }

    @Test func onlyWholeMessagesOfOneTextCount() {
        let message = self.message("begin;")
        for count in 5..<message.count { #expect(self.read(Array(message[..<count])) == nil) }
        #expect(self.read(frame("Q", bytes("begin;"))) == nil)
        #expect(self.read(frame("Q", bytes("begin;\0x"))) == nil)
        #expect(self.read(frame("Q", bytes("begin\0\0"))) == nil)
        #expect(self.read(frame("Q", bytes("commit\0\0"))) == nil)
        for length in [-1, 0, 3, 4, 5, Int32.max, Int32.min] {
            #expect(self.read(header("Q", length: length) + bytes("begin;") + [0]) == nil)
        }
    }

    @Test(arguments: [
        (.begin, "BEGIN", .inTransaction), (.startTransaction, "START TRANSACTION", .inTransaction),
        (.commit, "COMMIT", .idle), (.rollback, "ROLLBACK", .idle),
    ] as [(TransactionCommand, String, TransactionStatus)])
    func answersAndMessages(command: TransactionCommand, tag: String, status: TransactionStatus) {
        #expect(command.answer == frame("C", bytes(tag) + [0]) + frame("Z", [status.rawValue]))
        #expect(command.message == self.message(tag))
    }

    @Test func aTransactionBegunInTheClientsNameKeepsTheServer() {
        var ledger = AnswerLedger()
        #expect(ledger.isReleasable)
        ledger.transactionBegun()
        #expect(ledger.isSettled && !ledger.isReleasable && !ledger.isOutsideTransaction)
        #expect(ledger.status == .inTransaction)
        #expect(ledger.takeCounts() == (0, 0))
        ledger.querySent()
        ledger.readyReceived(.idle)
        #expect(ledger.isReleasable)
    }
}
