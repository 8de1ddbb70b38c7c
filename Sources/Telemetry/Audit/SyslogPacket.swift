import Glibc

/// A message for the system's logger in the form of RFC 3164 as it is used on the machine itself: without host name.
enum SyslogPacket {
    /// Facility `auth`.
    private static let facility = 4 << 3
    private static let warning = 4
    private static let notice = 5

    /// - Parameter seconds: since 1970; written in local time, as syslog(3) does.
    static func make(_ text: [UInt8], ident: String, isFailure: Bool, seconds: Int64) -> [UInt8] {
        let priority = Self.facility | (isFailure ? Self.warning : Self.notice)
        return Array("<\(priority)>\(Self.stamp(seconds)) \(ident)[\(getpid())]: ".utf8) + text
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Jan  7 19:19:38`
    private static func stamp(_ seconds: Int64) -> String {
        var moment = time_t(seconds)
        var parts = unsafe tm()
        _ = unsafe localtime_r(&moment, &parts)
        let (month, day) = unsafe (Int(parts.tm_mon), parts.tm_mday)
        let clock = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { $0 < 10 ? "0\($0)" : "\($0)" }
        let name = Self.months.indices.contains(month) ? Self.months[month] : ""
        return "\(name) \(day < 10 ? " " : "")\(day) \(clock.joined(separator: ":"))"
    }
}
