import Gateway
import Glibc
import Logging
import Reactor

/// The gateway as a process: started, then driven by signals. SIGHUP reloads; SIGTERM and SIGINT stop gracefully, and a
/// second one stops at once.
enum GatewayProcess {
    private static let signals = [SIGHUP, SIGTERM, SIGINT]

    /// Returns when the gateway has stopped. Call on the main thread.
    static func run(source: SettingsSource, log: Logger) throws(GatewayStartError) {
        ProcessSignals.block(Self.signals)
        let gateway = try Gateway(source: source, log: log)
        try gateway.start()
        while true {
            let signal = ProcessSignals.wait(for: Self.signals)
            if signal != SIGHUP { break }
            do throws(GatewayStartError) {
                try gateway.reload()
            } catch {
                log.error("reload failed, the old settings stay", metadata: ["reason": .string(error.description)])
            }
        }
        gateway.stop()
    }
}
