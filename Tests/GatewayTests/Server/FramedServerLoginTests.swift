import PGWire
import Sessions
import Testing

@testable import Gateway

/// What comes in one piece with the end of a login at a server.
struct FramedServerLoginTests {
    private func login() -> FramedServerLogin {
        var login = FramedServerLogin(
            user: "app", database: "app", parameters: [], credential: .none, knownKeys: nil)
        _ = login.start()
        return login
    }

    private func welcome() -> MessageWriter {
        var writer = MessageWriter()
        writer.authenticationOk()
        writer.backendKeyData(processID: 7, secret: [1, 2, 3, 4])
        writer.readyForQuery(.idle)
        return writer
    }

    private func fields(_ severity: Severity) -> ServerMessageFields {
        ServerMessageFields(severity: severity, sqlState: .adminShutdown, message: "behind the login")
    }

    /// Takes steps until there is something to do.
    private func outcome(_ login: inout FramedServerLogin) -> String? {
        while let step = login.next() {
            switch step {
            case .wait: continue
            case .send: return "send"
            case .ready(let greeting): return "ready \(greeting.processID)"
            case .failed(let failure): return failure.logText
            case .derive: return "derive"
            }
        }
        return nil
    }

    @Test func noticesAndReportsBehindTheLoginAreNothingToActOn() {
        var login = self.login()
        var writer = self.welcome()
        writer.noticeResponse(self.fields(.notice))
        writer.parameterStatus(name: "TimeZone", value: "UTC")
        login.append(writer.bytes.span)
        #expect(self.outcome(&login) == "ready 7")
    }

    @Test func aPartOfANoticeHoldsTheSessionBackUntilItIsWhole() {
        let welcome = self.welcome().bytes
        var writer = self.welcome()
        writer.noticeResponse(self.fields(.notice))
        let all = writer.bytes
        for cut in (welcome.count + 1)..<all.count {
            var login = self.login()
            login.append(Array(all[..<cut]).span)
            #expect(self.outcome(&login) == nil)
            login.append(Array(all[cut...]).span)
            #expect(self.outcome(&login) == "ready 7")
        }
    }

    @Test func anErrorBehindTheLoginIsTheServersLastWord() throws {
        var login = self.login()
        var writer = self.welcome()
        writer.errorResponse(self.fields(.fatal))
        login.append(writer.bytes.span)
        let outcome = try #require(self.outcome(&login))
        #expect(outcome.contains("behind the login"))
    }

    @Test func anAnswerThatNobodyAskedForIsRefused() throws {
        var login = self.login()
        var writer = self.welcome()
        writer.readyForQuery(.idle)
        login.append(writer.bytes.span)
        let outcome = try #require(self.outcome(&login))
        #expect(outcome.contains("it answers what nobody asked"))
    }
}
