// Draws the charts, and what is around them: theme, legends, zoom.
(function () {
  "use strict";
  var content = JSON.parse(document.getElementById("charts").textContent);
  var whole = null, views = [];

  function all(selector, action) { Array.prototype.forEach.call(document.querySelectorAll(selector), action); }
  function plots() { return whole ? whole.roots().filter(function (root) { return root.type === "Plot"; }) : []; }
  function overTime() { return plots().filter(function (plot) { return plot.x_range.name === "time"; }); }

  // Axes and grids take their colours from the style sheet when they are painted.
  function repaint() { views.forEach(function (view) { view.request_repaint(); }); }

  function press(buttons, pressed) {
    all(buttons, function (button) { button.setAttribute("aria-pressed", String(button === pressed)); });
  }

  function drag(kind, button) {
    overTime().forEach(function (plot) {
      plot.toolbar.active_drag = plot.toolbar.tools.filter(function (tool) { return tool.type === kind; })[0] || null;
    });
    press("[data-drag]", button);
  }

  function wire() {
    all("[data-reset]", function (button) {
      button.addEventListener("click", function () { overTime().slice(0, 1).forEach(function (plot) { plot.x_range.reset(); }); });
    });
    all("[data-drag]", function (button) {
      button.addEventListener("click", function () { drag(button.dataset.drag, button); });
    });
    all("[data-renderer]", function (button) {
      button.addEventListener("click", function () {
        var shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(shown));
        plots().forEach(function (plot) {
          plot.renderers.concat(plot.center).forEach(function (item) {
            if (item.name === button.dataset.renderer) { item.visible = shown; }
          });
        });
      });
    });
    // A finger on a chart scrolls the page; zooming by finger is chosen first.
    if (window.matchMedia("(pointer: coarse)").matches) { drag("", null); }
  }

  all("[data-theme-toggle]", function (button) { button.addEventListener("click", window.loadlabTheme.toggle); });
  var roots = content.roots;
  Bokeh.embed.embed_items({report: content.document}, [{docid: "report", roots: roots, root_ids: Object.keys(roots)}])
    .then(function (made) {
      whole = Bokeh.documents[Bokeh.documents.length - 1];
      views = Array.from(made[0].roots).filter(function (view) { return view.model.type === "Plot"; });
      wire();
      new MutationObserver(repaint).observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
      document.documentElement.dataset.drawn = "yes";
    })
    .catch(function (error) {
      document.documentElement.dataset.drawn = "no";
      all(".plot", function (place) { place.textContent = "This chart could not be drawn: " + error; });
    });
})();
