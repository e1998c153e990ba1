// What the protocols of devices are called on the pages.

const TITLES = { handheld: "Handheld", jt808: "JT/T 808", traccar: "Traccar Client", owntracks: "OwnTracks", gpslogger: "GPSLogger", overland: "Overland", batch: "Batch", nmea: "NMEA 0183", gt06: "GT06", h02: "H02", watch: "GPS watch" };

/** A protocol as people call it. */
export function titleOf(protocol) {
  return TITLES[protocol] ?? protocol;
}
