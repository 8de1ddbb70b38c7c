import PGWire
@testable import Sessions
import Testing

@Suite struct ClientStatementsTests {
    private let shop = StatementShop(capacity: 100)

    private func statement(_ query: String) throws -> PreparedStatement {
        try #require(self.shop.prepare(query, isNamed: false))
    }

    private func recalled(_ client: ClientStatements, _ query: String, types: [Int32] = []) -> PreparedStatement? {
        client.recall(tail: parseBody(query, types: types).span)
    }

    @Test func theLastUnnamedStatementsAreRemembered() throws {
        let client = ClientStatements(planner: nil)
        let statements = try (0..<4).map { try self.statement("select \($0)") }
        for statement in statements.prefix(3) { client.remember(statement, limit: 3) }
        // Used again, it is not the next to go.
        #expect(self.recalled(client, "select 0") === statements[0])
        client.remember(statements[3], limit: 3)
        #expect(self.recalled(client, "select 1") == nil)
        for number in [0, 2, 3] { #expect(self.recalled(client, "select \(number)") === statements[number]) }
    }

    @Test func textAndTypesMustBeEqual() throws {
        let client = ClientStatements(planner: nil)
        client.remember(try self.statement("select $1"), limit: 8)
        #expect(self.recalled(client, "select $1") != nil)
        #expect(self.recalled(client, "select $1", types: [23]) == nil)
        #expect(self.recalled(client, "select $2") == nil)
        #expect(self.recalled(client, "select $") == nil)
        #expect(self.recalled(client, "select $1 ") == nil)
        for tail in [[], [0], [0, 0], [0, 0, 0], Array("select $1".utf8)] as [[UInt8]] {
            #expect(client.recall(tail: tail.span) == nil)
        }
    }

    @Test func plannerSettingsMustBeEqual() throws {
        let settings = try planner([("search_path", "a")])
        let client = ClientStatements(planner: settings)
        client.remember(try self.statement("select 1"), limit: 8)
        #expect(self.recalled(client, "select 1") == nil)
        client.remember(try #require(self.shop.make("select 1", planner: settings)), limit: 8)
        #expect(self.recalled(client, "select 1") != nil)
    }

    @Test func howManyAreRememberedIsBounded() throws {
        let client = ClientStatements(planner: nil)
        for number in 0..<100 { client.remember(try self.statement("select \(number)"), limit: .max) }
        let count = (0..<100).filter { self.recalled(client, "select \($0)") != nil }.count
        #expect(count == 32)
        let other = ClientStatements(planner: nil)
        for limit in [0, -1, .min] { other.remember(try self.statement("select 1"), limit: limit) }
        #expect(self.recalled(other, "select 1") == nil)
    }

    @Test func whatExpiresIsStaleEverywhere() throws {
        let client = ClientStatements(planner: nil)
        let statements = try (0..<3).map { try self.statement("select \($0)") }
        client.unnamed = statements[0]
        client.names.set([0x61], to: statements[0])
        client.names.set([0x62], to: statements[1])
        client.expire(statements[0].id)
        #expect(statements.map(\.isStale) == [true, false, false])
        client.remember(statements[0], limit: 8)
        client.replace(statements[0], named: [0x61], by: statements[2])
        #expect(client.unnamed === statements[0])
        #expect(client.names.find([0x61]) === statements[2])
        client.replace(statements[0], named: [], by: statements[2])
        #expect(client.unnamed === statements[2])
        #expect(client.names.find([0x62]) === statements[1])
        #expect(self.recalled(client, "select 0") == nil)
    }

    @Test func statementsAreReplayedUnderTheClientsNamesTheUnnamedOneLast() throws {
        let client = ClientStatements(planner: nil)
        let nothing = try #require(client.replay(limit: 0))
        #expect(nothing.count == 0 && nothing.bytes.isEmpty)
        client.unnamed = try self.statement("select 'unnamed'")
        client.names.set(Array("a".utf8), to: try self.statement("select 1"))
        client.names.set(Array("b".utf8), to: try self.statement("select 1"))
        var expected = MessageWriter()
        for name in ["a", "b"] {
            expected.parse(name: name, query: "select 1")
            expected.sync()
        }
        expected.parse(name: "", query: "select 'unnamed'")
        expected.sync()
        let replay = try #require(client.replay(limit: expected.bytes.count))
        #expect(replay.count == 3 && replay.bytes == expected.bytes)
        #expect(client.replay(limit: expected.bytes.count - 1) == nil)
    }

    @Test func aClientIsToldOfAChangeOnce() throws {
        let client = ClientStatements(planner: nil)
        let statement = try self.statement("select 1")
        #expect(!client.knowsOfChange(statement))
        client.learnOfChange(statement)
        #expect(client.knowsOfChange(statement))
        // The client may have it under another name as well.
        client.replace(statement, named: [0x62], by: try self.statement("select 2"))
        #expect(client.knowsOfChange(statement))
        // By the server's own error.
        let other = try self.statement("select 3")
        client.names.set([0x61], to: other)
        client.expire(other.id)
        #expect(client.knowsOfChange(other))
        let unnamed = try self.statement("select 4")
        client.unnamed = unnamed
        client.expire(unnamed.id)
        #expect(unnamed.isStale && client.knowsOfChange(unnamed))
    }
}
