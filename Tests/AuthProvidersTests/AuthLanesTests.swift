import AuthProviders
import Dispatch
import Testing

/// Lanes by kind of provider, with texts for the log.
struct AuthLanesTests {
    @Test func aFullLaneSaysSoAndLeavesOthersAlone() async throws {
        let lanes = AuthLanes(AuthLanes.Limits(threads: 1, queueMax: 1, timeout: .seconds(60)))
        let gate = DispatchSemaphore(value: 0)
        let hanging = Task { try await lanes.run("PAM") { gate.wait() } }
        while lanes.load(of: "PAM").busy < 1 || lanes.load(of: "PAM").queued > 0 { await Task.yield() }
        let waiting = Task { try await lanes.run("PAM") { 1 } }
        while lanes.load(of: "PAM").queued < 1 { await Task.yield() }
        do {
            _ = try await lanes.run("PAM") { 2 }
            Issue.record("admitted")
        } catch {
            #expect(error.sqlStateText == "58000" && error.reason == .serviceUnavailable)
            #expect(error.logText.contains("PAM lane is full") && error.logText.contains("auth_lane_queue"))
        }
        #expect(try await lanes.run("LDAP") { 3 } == 3)
        gate.signal()
        try await hanging.value
        #expect(try await waiting.value == 1)
    }

    @Test func aLateAnswerIsNone() async {
        let lanes = AuthLanes(AuthLanes.Limits(threads: 1, queueMax: 1, timeout: .milliseconds(20)))
        let gate = DispatchSemaphore(value: 0)
        do {
            try await lanes.run("PAM") { gate.wait() }
            Issue.record("admitted")
        } catch {
            #expect(error.sqlStateText == "58000")
            #expect(error.logText.contains("auth_lane_timeout"))
        }
        gate.signal()
    }
}
