// Runs before the first paint: the chosen theme and language must not flash.
// A classic script on purpose; everything else is a module and comes later.
(function () {
  var root = document.documentElement;
  var chosen = {};
  try {
    chosen = JSON.parse(localStorage.getItem("gridbeat") || "{}") || {};
  } catch (error) {
    chosen = {}; // a browser without storage still gets a page
  }
  var auto = chosen.theme !== "light" && chosen.theme !== "dark";
  var dark = auto ? matchMedia("(prefers-color-scheme: dark)").matches : chosen.theme === "dark";
  root.dataset.theme = dark ? "dark" : "light";
  var language = chosen.language || (/^zh/i.test(navigator.language || "zh") ? "zh" : "en");
  root.lang = language === "zh" ? "zh-CN" : "en";
})();
