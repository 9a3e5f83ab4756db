// Before anything is drawn: the theme that was chosen last, else the system's.
(function () {
  "use strict";
  var root = document.documentElement;
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function stored() { try { return localStorage.getItem("loadlab-theme"); } catch (error) { return null; } }
  function apply() { root.dataset.theme = stored() || (system.matches ? "dark" : "light"); }
  window.loadlabTheme = {
    toggle: function () {
      var theme = root.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("loadlab-theme", theme); } catch (error) { /* a file may have no storage */ }
      root.dataset.theme = theme;
    }
  };
  apply();
  system.addEventListener("change", apply);
})();
