// The list of sections at the right, also where the site is read without a network: pkgdown fetches a script for it.
$(function () {
  var toc = $("#toc");
  if (!toc.length || toc.find("li").length) return;
  var list = $("<ul>").addClass("nav flex-column").appendTo(toc);
  $("main h2, main h3").each(function () {
    var heading = $(this);
    var id = heading.attr("id") || heading.parent().attr("id");
    if (!id) return;
    var text = heading.clone().children("a.anchor").remove().end().text();
    $("<a>").addClass("nav-link py-0").attr("href", "#" + id).text(text)
      .toggleClass("ps-5", heading.is("h3"))
      .appendTo($("<li>").addClass("nav-item").appendTo(list));
  });
});
