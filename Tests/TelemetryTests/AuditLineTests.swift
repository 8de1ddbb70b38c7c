import Foundation
import Testing

@testable import Telemetry

@Suite struct AuditLineTests {
    static let subject = AuditSubject(
        connection: 12, address: .v4(0xc000_0201, port: 40_000), database: "shop", user: "app", identity: "app",
        poolUser: "app", serverUser: "app_rw"
    )

    private static let login = AuditLogin(
        refusal: nil, rule: AuditRule(file: "pg_hba.conf", line: 3, method: "scram-sha-256"), provider: "password",
        secretSource: "settings", isCached: false, durationMicroseconds: 1234
    )

    private func parsed(_ record: AuditRecord) throws -> [String: Any] {
        let line = String(decoding: AuditLine.json(record), as: UTF8.self)
        #expect(!line.contains("\n"))
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    @Test func anAdmittedLogin() {
        let record = AuditRecord(time: 1_704_655_178_080_123, Self.subject, .login(Self.login))
        #expect(
            String(decoding: AuditLine.json(record), as: UTF8.self) == """
                {"time":"2024-01-07T19:19:38.080123Z","event":"login","connection":"#c12","address":"192.0.2.1",\
                "port":40000,"tls":false,"tls_version":null,"tls_cipher":null,"tls_client_subject":null,\
                "database":"shop","user":"app","identity":"app","pool":"app@shop","server_user":"app_rw",\
                "rule_file":"pg_hba.conf","rule_line":3,"method":"scram-sha-256","provider":"password",\
                "secret_source":"settings","cached":false,"verdict":"admitted","reason":null,"reason_text":null,\
                "duration_us":1234}
                """
        )
        #expect(!record.isFailure)
    }

    @Test func aRefusedLogin() throws {
        let refusal = AuditRefusal(code: "no_rule_matches", text: "no pg_hba rule matches")
        let subject = AuditSubject(
            connection: 1, address: .local, tls: AuditTLS(version: "TLSv1.3", cipher: "C", clientSubject: "CN=a"),
            database: "shop", user: "eve"
        )
        let record = AuditRecord(subject, .login(AuditLogin(refusal: refusal, durationMicroseconds: 5)))
        let fields = try self.parsed(record)
        #expect(record.isFailure)
        #expect(fields["verdict"] as? String == "refused")
        #expect(fields["reason"] as? String == "no_rule_matches")
        #expect(fields["reason_text"] as? String == "no pg_hba rule matches")
        #expect(fields["address"] as? String == "[local]" && fields["port"] is NSNull)
        #expect(fields["tls"] as? Bool == true && fields["tls_version"] as? String == "TLSv1.3")
        #expect(fields["tls_client_subject"] as? String == "CN=a")
        for name in ["identity", "pool", "rule_file", "rule_line", "method", "provider", "secret_source", "cached"] {
            #expect(fields[name] is NSNull, "\(name)")
        }
    }

    @Test func aLogoutACommandAndAGap() throws {
        let logout = AuditLogout(
            cause: .clientLeft, text: "client left", durationMicroseconds: 9, transactions: 2, queries: .max
        )
        let end = try self.parsed(AuditRecord(Self.subject, .logout(logout)))
        #expect(end["reason"] as? String == "client_left" && end["transactions"] as? Int == 2)
        #expect(end["queries"] as? Int64 == .max && end["verdict"] == nil && end["command"] == nil)
        let failed = AuditRecord(Self.subject, .command(AuditCommand(text: "RELOAD", sqlState: "22023")))
        let command = try self.parsed(failed)
        #expect(failed.isFailure)
        #expect(command["command"] as? String == "RELOAD" && command["outcome"] as? String == "22023")
        #expect(command["duration_us"] == nil)
        let gap = try self.parsed(AuditRecord(time: -1, Self.subject, .dropped(5)))
        #expect(Set(gap.keys) == ["time", "event", "dropped"])
        #expect(gap["dropped"] as? Int == 5 && gap["time"] as? String == "1969-12-31T23:59:59.999999Z")
    }

    @Test func everyEventHasExactlyItsFields() throws {
        let logout = AuditLogout(cause: .shuttingDown, text: "", durationMicroseconds: 0, transactions: 0, queries: 0)
        let details: [(AuditEvent, AuditRecord.Detail)] = [
            (.login, .login(Self.login)), (.logout, .logout(logout)),
            (.command, .command(AuditCommand(text: "", sqlState: nil))), (.dropped, .dropped(1)),
        ]
        for (event, detail) in details {
            let record = AuditRecord(Self.subject, detail)
            #expect(record.event == event)
            let expected = AuditField.all.filter { $0.events.contains(event) }.map(\.name)
            #expect(try Set(self.parsed(record).keys) == Set(expected))
        }
    }

    @Test(arguments: [
        "a\"b", "back\\slash", "line\nfeed", "tab\treturn\r", "\u{0}\u{1}\u{1f}\u{7f}\u{9f}", "{\"event\":\"login\"}",
        "\u{202e}reversed\u{2028}", "übung_имя 🐘", "", "'; drop table audit; --", "a,b:c}{",
    ])
    func hostileNamesStayInTheirField(name: String) throws {
        let subject = AuditSubject(connection: 1, address: .local, database: name, user: name)
        let refusal = AuditRefusal(code: "other", text: name)
        let record = AuditRecord(subject, .login(AuditLogin(refusal: refusal, durationMicroseconds: 0)))
        let fields = try self.parsed(record)
        #expect(fields["user"] as? String == (name.isEmpty ? nil : name))
        #expect(fields["database"] as? String == (name.isEmpty ? nil : name))
        #expect(fields["reason_text"] as? String == name)
        #expect(AuditLine.json(record).allSatisfy { $0 >= 0x20 && $0 != 0x7f })
    }

    /// 8 KB of names must not be kept, either: the records of a flood of logins stay in memory.
    @Test func longNamesAreCutAtTheBorderOfACharacter() throws {
        let name = String(repeating: "ж🐘", count: 2000)
        let subject = AuditSubject(
            connection: 1, address: .local, database: name, user: name, identity: name, poolUser: name,
            serverUser: name
        )
        for text in [subject.database, subject.user, subject.identity, subject.poolUser, subject.serverUser] {
            let text = try #require(text)
            #expect(text.utf8.count <= AuditLine.nameBytesMax + 3 && text.hasSuffix("…"))
            #expect(name.hasPrefix(text.dropLast()) && !text.contains("\u{fffd}"))
        }
        let exact = String(repeating: "x", count: AuditLine.nameBytesMax)
        #expect(AuditLine.cut(exact) == exact)
        #expect(AuditLine.cut(exact + "y") == exact + "…")
        #expect(AuditRefusal(code: "c", text: name).text.utf8.count <= AuditLine.reasonBytesMax + 3)
        #expect(AuditCommand(text: name, sqlState: nil).text.utf8.count <= AuditLine.reasonBytesMax + 3)
    }

    @Test(arguments: [
        (AuditAddress.local, "[local]", UInt16?.none), (.v4(0x7f00_0001, port: 1), "127.0.0.1", 1),
        (.v4(.max, port: 65_535), "255.255.255.255", 65_535), (.v6(high: 0, low: 1, port: 5), "::1", 5),
        (.v6(high: 0x2001_0db8_0000_0000, low: 0xff, port: 0), "2001:db8::ff", 0),
    ])
    func addresses(address: AuditAddress, text: String, port: UInt16?) {
        #expect(address.text == text)
        #expect(address.port == port)
    }

    @Test func packetsForSyslog() {
        let packet = SyslogPacket.make(Array("{}".utf8), ident: "gw", isFailure: true, seconds: 0)
        let text = String(decoding: packet, as: UTF8.self)
        #expect(text.hasPrefix("<36>"))
        #expect(text.hasSuffix(" gw[\(getpid())]: {}"))
        // Mmm dd hh:mm:ss
        #expect(text.dropFirst(4).prefix(16).wholeMatch(of: #/[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d /#) != nil)
        #expect(SyslogPacket.make([], ident: "", isFailure: false, seconds: 0).starts(with: Array("<37>".utf8)))
    }
}
