// What follows # in the address chooses the layers and an element: #show=picture,elements&focus=e12
const svg = document.documentElement;
const byId = id => document.getElementById(id);
// In a frame the page is as large as the frame.
if (window !== window.top) for (const side of ["width", "height"]) svg.setAttribute(side, "100%");
// Large boxes below small ones, so that each can be pointed at.
for (const id of ["elements", "cells"]) svg.insertBefore(byId(id), byId("edges"));
function apply() {
  const wish = new URLSearchParams(location.hash.slice(1));
  if (wish.has("show")) {
    const shown = wish.get("show").split(",");
    for (const g of svg.querySelectorAll(":scope > g")) g.style.display = shown.includes(g.id) ? "inline" : "none";
  }
  for (const old of svg.querySelectorAll(".focus")) old.classList.remove("focus");
  byId(wish.get("focus"))?.classList.add("focus");
}
addEventListener("hashchange", apply);
apply();
