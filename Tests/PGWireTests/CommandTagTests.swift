import PGWire
import Testing

@Suite("Command tags")
struct CommandTagTests {
    static let table: [(String, CommandTag)] = [
        ("SELECT 1", .select), ("SELECT 0", .select), ("SELECT", .select), ("SELECTED", .other),
        ("BEGIN", .begin), ("START TRANSACTION", .begin), ("COMMIT", .commit), ("ROLLBACK", .rollback),
        ("COMMIT PREPARED", .other), ("ROLLBACK PREPARED", .other), ("COPY 12", .copy), ("COPY", .copy),
        ("SET", .set), ("SET CONSTRAINTS", .other), ("RESET", .reset), ("DISCARD ALL", .discardAll),
        ("DISCARD PLANS", .other), ("DISCARD TEMP", .other), ("DISCARD SEQUENCES", .other),
        ("DECLARE CURSOR", .declareCursor), ("CLOSE CURSOR ALL", .closeCursorAll), ("CLOSE CURSOR", .other),
        ("PREPARE", .prepare), ("PREPARE TRANSACTION", .other), ("DEALLOCATE", .deallocate),
        ("DEALLOCATE ALL", .deallocateAll), ("LISTEN", .listen), ("UNLISTEN", .unlisten), ("NOTIFY", .other),
        ("DO", .doBlock), ("ALTER TABLE", .alter), ("ALTER FOREIGN TABLE", .alter), ("ALTER TYPE", .alter),
        ("ALTER VIEW", .alter), ("ALTER MATERIALIZED VIEW", .alter), ("ALTER SCHEMA", .alter), ("CREATE VIEW", .alter),
        ("DROP VIEW", .alter), ("ALTER ROLE", .other), ("DROP TABLE", .other), ("CREATE SCHEMA", .other),
        ("INSERT 0 1", .other), ("CREATE TABLE", .other), ("select 1", .other), ("Å", .other), ("", .other),
    ]

    @Test(arguments: Self.table)
    func classifies(text: String, tag: CommandTag) {
        let body = bytes(.string(text))
        #expect(CommandTag.classify(body.span, 0..<body.count) == tag)
        #expect(CommandTag.classify(body.span, 0..<body.count - 1) == tag)
        let buffer = bytes(.raw([0x43, 0, 0, 0]), .string(text), .raw([0x5A]))
        #expect(CommandTag.classify(buffer.span, 4..<4 + body.count) == tag)
    }

    @Test func aCutTagIsNotMistaken() {
        let full = Array("DEALLOCATE ALL".utf8)
        for count in 0..<full.count {
            let expected: CommandTag = count == 10 ? .deallocate : .other
            #expect(CommandTag.classify(full.span, 0..<count) == expected)
        }
    }

    @Test(arguments: [-1..<3, 0..<5, 4..<5, 2..<2, Int.min..<0, 0..<Int.max])
    func rangesThatLeaveTheBytesAreOther(range: Range<Int>) {
        let body = Array("SET\0".utf8)
        #expect(CommandTag.classify(body.span, range) == .other)
    }
}
