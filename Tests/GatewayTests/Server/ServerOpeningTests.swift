import PGWire
import Sessions
import Testing

@testable import Gateway

/// What comes in one piece with the end of a login at a server.
struct ServerOpeningTests {
    private func opening() -> ServerOpening {
        var opening = ServerOpening(
            user: "app", database: "app", parameters: [], credential: .none, knownKeys: nil)
        _ = opening.start()
        return opening
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
    private func outcome(_ opening: inout ServerOpening) -> String? {
        while let step = opening.next() {
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
        var opening = self.opening()
        var writer = self.welcome()
        writer.noticeResponse(self.fields(.notice))
        writer.parameterStatus(name: "TimeZone", value: "UTC")
        opening.append(writer.bytes.span)
        #expect(self.outcome(&opening) == "ready 7")
    }

    @Test func aPartOfANoticeHoldsTheSessionBackUntilItIsWhole() {
        let login = self.welcome().bytes
        var writer = self.welcome()
        writer.noticeResponse(self.fields(.notice))
        let all = writer.bytes
        for cut in (login.count + 1)..<all.count {
            var opening = self.opening()
            opening.append(Array(all[..<cut]).span)
            #expect(self.outcome(&opening) == nil)
            opening.append(Array(all[cut...]).span)
            #expect(self.outcome(&opening) == "ready 7")
        }
    }

    @Test func anErrorBehindTheLoginIsTheServersLastWord() throws {
        var opening = self.opening()
        var writer = self.welcome()
        writer.errorResponse(self.fields(.fatal))
        opening.append(writer.bytes.span)
        let outcome = try #require(self.outcome(&opening))
        #expect(outcome.contains("behind the login"))
    }

    @Test func anAnswerThatNobodyAskedForIsRefused() throws {
        var opening = self.opening()
        var writer = self.welcome()
        writer.readyForQuery(.idle)
        opening.append(writer.bytes.span)
        let outcome = try #require(self.outcome(&opening))
        #expect(outcome.contains("it answers what nobody asked"))
    }
}
